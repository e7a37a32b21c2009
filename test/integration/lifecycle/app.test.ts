/** `weft run -- app args`: the application starts behind a proxy that serves, and ends after its inbound work has. */
import { request } from 'undici'
import { afterEach, expect, it } from 'vitest'
import { freePort } from '../../kit/free-port.js'
import { closeUpstreams, Upstream } from '../../kit/http-upstream.js'
import { endPrograms } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'

afterEach(async () => {
  await endPrograms()
  await closeUpstreams()
})

/** Serves on the port of its first argument, asks the proxy of its second one at its start, says what it is told. */
const program = `
const { createServer } = require('node:http')
const say = (line) => process.stdout.write('app: ' + line + '\\n')
const [port, proxy] = process.argv.slice(1)
const server = createServer((request, response) => {
  say('asked ' + request.url)
  if (request.url !== '/slow') return response.end('of the app')
  process.once('SIGUSR2', () => response.end('slow answer'))
})
server.listen(Number(port), '127.0.0.1', async () => {
  say('pid ' + process.pid + ' first answer ' + (await (await fetch(proxy)).text()))
})
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => { say('told ' + signal); process.exit(21) })
`

async function startWithApp(script = program) {
  const port = await freePort()
  const app = (url: string) => [process.execPath, '-e', script, String(port), url]
  const proxy = await ProxyProcess.start(`127.0.0.1:${port}`, { app })
  await proxy.says(/app: pid \d+ first answer of the app/)
  return proxy
}

it('the application can use the proxy from its first moment', async () => {
  const proxy = await startWithApp()
  expect(proxy.output.indexOf(' ready in ')).toBeLessThan(proxy.output.indexOf('app: '))
  proxy.signal('SIGTERM')
  expect(await proxy.end()).toBe(21)
})

it.for(['SIGTERM', 'SIGINT'] as const)(
  '%s drains first: the application is told after its last answer',
  async (signal) => {
    const proxy = await startWithApp()
    const slow = request(`${proxy.url}/slow`)
    await proxy.says('app: asked /slow')
    proxy.signal(signal)
    const ready = () => fetch(`${proxy.admin}/ready`).then(({ status }) => status)
    await expect.poll(ready, { interval: 10 }).toBe(503)
    expect(proxy.output).not.toContain('app: told')
    proxy.signal('SIGUSR2')
    const { headers, body } = await slow
    expect([headers.connection, await body.text()]).toEqual(['close', 'slow answer'])
    await proxy.says(`app: told ${signal}`)
    expect(await proxy.end()).toBe(21)
  },
)

it('an application that ends by itself ends the proxy with its exit code, by a signal with 128 + n', async () => {
  for (const [end, code] of [
    ['process.exit(5)', 5],
    ['process.exit(0)', 0],
    ["process.kill(process.pid, 'SIGKILL')", 137],
  ] as const) {
    const script = program.replace("say('told ' + signal); process.exit(21)", end)
    const proxy = await startWithApp(script)
    process.kill(Number(/pid (\d+)/.exec(proxy.output)?.[1]), 'SIGTERM')
    expect(await proxy.end()).toBe(code)
  }
})

it('a reload leaves the application alone', async () => {
  const proxy = await startWithApp()
  expect(await proxy.reload({ ...proxy.config, node: { id: 'again' } })).toContain('generation=2')
  expect(await (await request(proxy.url)).body.text()).toBe('of the app')
  proxy.signal('SIGTERM')
  expect(await proxy.end()).toBe(21)
})

it('the application can call others until it has ended, while nobody is let in to it any more', async () => {
  const other = await Upstream.start('another service')
  const [port, inbound, outbound] = await Promise.all([freePort(), freePort(), freePort()])
  const script = program.replace(
    "say('told ' + signal); process.exit(21)",
    "say('told ' + signal); fetch(proxy).then((answer) => answer.text()).then((text) => { say('last answer ' + text); process.exit(21) })",
  )
  const proxy = await ProxyProcess.start([], {
    app: () => [process.execPath, '-e', script, String(port), `http://127.0.0.1:${outbound}`],
    config: {
      listeners: [
        { name: 'inbound', address: `127.0.0.1:${inbound}` },
        { name: 'calls', direction: 'outbound', address: `127.0.0.1:${outbound}` },
      ],
      routes: [
        { name: 'in', listeners: ['inbound'], forward: [{ cluster: 'app' }] },
        { name: 'out', listeners: ['calls'], forward: [{ cluster: 'other' }] },
      ],
      clusters: [
        { name: 'app', endpoints: [`127.0.0.1:${port}`] },
        { name: 'other', endpoints: [other.address] },
      ],
    },
  })
  await proxy.says('first answer another service')
  const slow = request(`http://127.0.0.1:${inbound}/slow`)
  await proxy.says('app: asked /slow')
  proxy.signal('SIGTERM')
  const refused = () => request(`http://127.0.0.1:${inbound}/`).catch(({ code }) => code)
  await expect.poll(refused, { interval: 10 }).toBe('ECONNREFUSED')
  const outgoing = await request(`http://127.0.0.1:${outbound}/`)
  expect([outgoing.statusCode, outgoing.headers.connection]).toEqual([200, undefined])
  await outgoing.body.dump()
  proxy.signal('SIGUSR2')
  expect(await (await slow).body.text()).toBe('slow answer')
  await proxy.says('app: last answer another service')
  expect(await proxy.end()).toBe(21)
})
