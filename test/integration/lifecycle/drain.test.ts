/** The end: open exchanges finish, new ones are refused, a deadline and a second signal cut what is left. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { Client, request } from 'undici'
import { afterEach, describe, expect, it } from 'vitest'
import { closeUpstreams, Upstream } from '../../kit/http-upstream.js'
import { endPrograms } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'

afterEach(async () => {
  await endPrograms()
  await closeUpstreams()
})

/** Resolves when the admin server says that the proxy drains. */
async function draining(proxy: ProxyProcess): Promise<void> {
  const ready = () => fetch(`${proxy.admin}/ready`).then(async (answer) => [answer.status, await answer.text()])
  await expect.poll(ready, { interval: 10 }).toEqual([503, 'draining\n'])
}

/** `let in` for as long as a worker has not yet heard of the drain. */
async function knock(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  const end = await once(socket, 'connect').then(
    () => 'let in',
    (error) => error.code,
  )
  socket.destroy()
  return end
}

describe.for([['SIGTERM'], ['SIGINT'], ['POST /drain']] as const)('%s', ([how]) => {
  it('lets an open exchange finish, ends idle connections, refuses new ones and ends with 0', async () => {
    const upstream = await Upstream.start()
    const proxy = await ProxyProcess.start(upstream.address, { config: { workers: 2 } })
    const idle = new Client(proxy.url)
    await (await idle.request({ path: '/', method: 'GET' })).body.dump()
    const left = once(idle, 'disconnect')
    const open = request(`${proxy.url}/hold`, { method: 'POST', body: 'x' })
    const { response } = await upstream.held()
    if (how === 'POST /drain') expect((await request(`${proxy.admin}/drain`, { method: 'POST' })).statusCode).toBe(202)
    else proxy.signal(how)
    await draining(proxy)
    await left
    await expect.poll(() => knock(proxy.port)).toBe('ECONNREFUSED')
    response.write('first ')
    const { headers, body } = await open
    expect(headers.connection).toBe('close')
    response.end('last')
    expect(await body.text()).toBe('first last')
    expect(await proxy.end()).toBe(0)
    expect(proxy.output).not.toContain('deadline')
  })
})

it('the deadline cuts what is left, says how many, and the exit code is still 0', async () => {
  const upstream = await Upstream.start()
  const proxy = await ProxyProcess.start(upstream.address, { config: { drain: { deadline: '300ms' } } })
  const open = request(`${proxy.url}/hold`)
  const failed = expect(open).rejects.toThrow()
  await upstream.held()
  const begun = performance.now()
  proxy.signal('SIGTERM')
  expect(await proxy.end()).toBe(0)
  expect(performance.now() - begun).toBeGreaterThanOrEqual(290)
  expect(performance.now() - begun).toBeLessThan(3000)
  expect(proxy.output).toContain('the drain deadline passed exchangesCut=1')
  await failed
})

it('a second signal ends at once with the code of the signal', async () => {
  const upstream = await Upstream.start()
  const proxy = await ProxyProcess.start(upstream.address, { config: { drain: { deadline: '1h' } } })
  const failed = expect(request(`${proxy.url}/hold`)).rejects.toThrow()
  await upstream.held()
  proxy.signal('SIGTERM')
  await draining(proxy)
  proxy.signal('SIGTERM')
  expect(await proxy.end()).toBe(128 + 15)
  expect(proxy.output).toContain('ended at once')
  await failed
})

it('a tunnel is an open exchange too', async () => {
  const echo = createServer((socket) => {
    socket.once('data', () => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n')
      socket.pipe(socket)
    })
  }).listen(0, '127.0.0.1')
  await once(echo, 'listening')
  const proxy = await ProxyProcess.start(`127.0.0.1:${(echo.address() as AddressInfo).port}`)
  const client = connect(proxy.port, '127.0.0.1')
  client.write('GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n')
  expect(String((await once(client, 'data'))[0])).toMatch(/^HTTP\/1\.1 101 /)
  proxy.signal('SIGTERM')
  await draining(proxy)
  client.end('still here')
  expect(String((await once(client, 'data'))[0])).toBe('still here')
  expect(await proxy.end()).toBe(0)
  echo.close()
})

it('a connection that waits in the accept queue when the drain begins is not lost', async () => {
  const upstream = await Upstream.start()
  const proxy = await ProxyProcess.start(upstream.address)
  // Stopped, the process accepts nothing: the connection and the signal are both there when it goes on.
  proxy.signal('SIGSTOP')
  const client = connect(proxy.port, '127.0.0.1')
  await once(client, 'connect')
  client.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
  proxy.signal('SIGTERM')
  proxy.signal('SIGCONT')
  expect(String((await once(client, 'data'))[0])).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
  expect(await proxy.end()).toBe(0)
})
