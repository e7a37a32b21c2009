/** Python's clients through the proxy. */
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { clients, python } from '../../kit/clients.js'
import { closeUpstreams, Upstream } from '../../kit/http-upstream.js'
import { endPrograms, outputOf } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'

let proxy: ProxyProcess

beforeAll(async () => {
  const upstream = await Upstream.start()
  proxy = await ProxyProcess.start(upstream.address)
})

afterAll(async () => {
  expect(await proxy.stop()).toBe(0)
  await endPrograms()
  await closeUpstreams()
})

it.for(['http.client', 'urllib', 'aiohttp'])('%s gets, posts, streams and keeps its connections', async (client) => {
  const script = join(clients, 'python_clients.py')
  expect(await outputOf(python, [script, client, `127.0.0.1:${proxy.port}`])).toBe('ok\n')
})
