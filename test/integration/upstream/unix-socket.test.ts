/** Endpoints that are unix sockets: by path, by a path relative to the configuration, and without a file at all. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { dirname, join } from 'node:path'
import { request } from 'undici'
import { afterEach, expect, it } from 'vitest'
import { endPrograms, Program } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'
import { scratchFolder } from '../../kit/scratch.js'

const servers = new Set<Server>()

afterEach(async () => {
  await endPrograms()
  for (const server of servers) server.close()
  servers.clear()
})

async function listen(path: string): Promise<void> {
  const server = createServer((asked, answer) => answer.end(`${path} ${asked.headers.host}`)).listen(path)
  servers.add(server)
  await once(server, 'listening')
}

/** Node 20 cannot listen without a file. */
const abstractServer = `
import socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind("\\0" + sys.argv[1])
server.listen()
print("ready", flush=True)
while True:
    client, _ = server.accept()
    host = next(line[6:] for line in client.recv(65536).decode().splitlines() if line.startswith("host: "))
    body = "@" + sys.argv[1] + " " + host
    client.sendall(("HTTP/1.1 200 OK\\r\\nconnection: close\\r\\ncontent-length: %d\\r\\n\\r\\n%s" % (len(body), body)).encode())
    client.close()
`

it('requests go through a socket in the file system and through an abstract one', async () => {
  const path = join(scratchFolder(), 'app.sock')
  const abstract = `weft-test-${process.pid}`
  await listen(path)
  const other = new Program('python3', ['-c', abstractServer, abstract])
  await other.says('ready')
  const log = join(scratchFolder(), 'log')
  const proxy = await ProxyProcess.start([`unix:${path}`, `unix:@${abstract}`], {
    listener: { accessLog: { path: log, format: '%UPSTREAM_HOST%\n' } },
  })
  const answers = [await request(proxy.url), await request(proxy.url), await request(proxy.url)]
  const texts = await Promise.all(answers.map(({ body }) => body.text()))
  const host = proxy.url.slice('http://'.length)
  expect(new Set(texts)).toEqual(new Set([`${path} ${host}`, `@${abstract} ${host}`]))
  const endpoints = (await proxy.stats()).clusters[0]?.endpoints.map(({ address }) => address)
  expect(endpoints).toEqual([`unix:${path}`, `unix:@${abstract}`])
  await proxy.stop()
  expect(readFileSync(log, 'utf8')).toBe('unix\nunix\nunix\n')
})

it('a relative path begins where the configuration stands, and a socket that is not there is 503', async () => {
  const proxy = await ProxyProcess.start('unix:app.sock')
  const missing = await request(proxy.url)
  expect(missing.statusCode).toBe(503)
  expect(await missing.body.text()).toContain('cannot be connected to')
  await listen(join(dirname(proxy.file), 'app.sock'))
  const answer = await request(proxy.url)
  expect(await answer.body.text()).toContain('app.sock')
})
