/** Connections that upstreams close when idle: none of the requests around that moment fails, whatever their method. */

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Agent, request } from 'undici'
import { afterEach, expect, it } from 'vitest'
import { freePort } from '../../kit/free-port.js'
import { startNginx } from '../../kit/nginx.js'
import { endPrograms, Program } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'

afterEach(endPrograms)

const oneAtATime = `
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer)
print("ready", flush=True)
server.serve_forever()
`

const after = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/**
 * Requests by many clients at once, each waiting in turn a little less, exactly and a little more than `age` between two
 * of them: the proxy's idle connections are as old when they are wanted. Returns the statuses that were not 200.
 */
async function driveAround(url: string, ageMs: number, rounds: number): Promise<string[]> {
  const dispatcher = new Agent({ connections: 30 })
  const wrong: string[] = []
  const once = async (method: 'GET' | 'POST') => {
    const body = method === 'POST' ? 'x' : null
    const answer = await request(`${url}/`, { method, body, dispatcher, headersTimeout: 5_000 })
    await answer.body.dump()
    if (answer.statusCode !== 200) wrong.push(`${method} ${answer.statusCode}`)
  }
  const client = async (at: number) => {
    for (let round = 0; round < rounds; round += 1) {
      await once((at + round) % 2 === 0 ? 'POST' : 'GET')
      await after(ageMs - 15 + at)
    }
  }
  await Promise.all(Array.from({ length: 30 }, (_, at) => client(at)))
  await dispatcher.close()
  return wrong
}

/**
 * Nobody is told when an upstream closes, until it has done so once: that one time a request that cannot be sent twice
 * may meet the end of its connection, if the machine stands still between the look at it and the write.
 */
async function driveUntilLearned(url: string, ageMs: number): Promise<void> {
  const wrong = await driveAround(url, ageMs, 3)
  expect(wrong.length).toBeLessThanOrEqual(1)
  expect(wrong.filter((one) => one !== 'POST 503')).toEqual([])
}

async function learned(proxy: ProxyProcess): Promise<number | null> {
  return (await proxy.stats()).clusters[0]?.endpoints[0]?.closesIdleAfterMs ?? null
}

it.each([1, 2])('nginx that closes after %i s', async (seconds) => {
  const nginx = await startNginx('', `keepalive_timeout ${seconds}s; location / { return 200 ok; }`)
  const proxy = await ProxyProcess.start(nginx.address)
  expect(await learned(proxy)).toBeNull()
  await driveUntilLearned(proxy.url, seconds * 1000)
  expect(await driveAround(proxy.url, seconds * 1000, 8)).toEqual([])
  const age = await learned(proxy)
  expect(age).toBeGreaterThan(seconds * 1000 - 100)
  expect(age).toBeLessThan(seconds * 1000 + 400)
  // Connections that were used again all the same, before that age.
  const { counters } = await proxy.stats()
  expect(counters.weft_upstream_connections_reused_total).toBeGreaterThan(0)
})

it('an nginx that announces more than it keeps', async () => {
  const nginx = await startNginx('', 'keepalive_timeout 1s 60s; location / { return 200 ok; }')
  const proxy = await ProxyProcess.start(nginx.address)
  await driveUntilLearned(proxy.url, 1_000)
  expect(await driveAround(proxy.url, 1_000, 6)).toEqual([])
  expect(await learned(proxy)).toBeLessThan(1_400)
})

it('Node, which announces its five seconds', async () => {
  const server = createServer((asked, answer) => asked.resume().on('end', () => answer.end('ok'))).listen(
    0,
    '127.0.0.1',
  )
  await once(server, 'listening')
  const proxy = await ProxyProcess.start(`127.0.0.1:${(server.address() as AddressInfo).port}`)
  expect(await driveAround(proxy.url, 5_000, 4)).toEqual([])
  const age = await learned(proxy)
  expect(age).toBeGreaterThan(4_900)
  expect(age).toBeLessThanOrEqual(5_000)
  await proxy.stop()
  server.close()
})

it('an upstream that serves one connection at a time is not kept from the next one', async () => {
  const port = await freePort()
  const server = new Program('python3', ['-c', oneAtATime, `${port}`])
  await server.says('ready')
  const proxy = await ProxyProcess.start(`127.0.0.1:${port}`)
  for (let i = 0; i < 3; i += 1) {
    const { statusCode, body } = await request(proxy.url, { headersTimeout: 2_000 })
    await body.dump()
    expect(statusCode).toBe(200)
    // Past the time in which the proxy would use the connection again.
    await after(3_600)
  }
})

it('a connection serves as many requests as the cluster says, then another one is made', async () => {
  const sockets = new Set<unknown>()
  const server = createServer((asked, answer) => {
    sockets.add(asked.socket)
    answer.end('ok')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cluster = { keepAlive: { maxRequestsPerConnection: 5 } }
  const proxy = await ProxyProcess.start(`127.0.0.1:${(server.address() as AddressInfo).port}`, { cluster })
  for (let i = 0; i < 20; i += 1) await (await request(proxy.url)).body.dump()
  expect(sockets.size).toBe(4)
  await proxy.stop()
  server.close()
})
