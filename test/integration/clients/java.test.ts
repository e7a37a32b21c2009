/** Java's own client through the proxy. */
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { clients } from '../../kit/clients.js'
import { closeUpstreams, Upstream } from '../../kit/http-upstream.js'
import { endPrograms, outputOf } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'

afterEach(async () => {
  await endPrograms()
  await closeUpstreams()
})

it('java.net.http gets, posts, waits for 100 Continue and keeps its connections', async () => {
  const proxy = await ProxyProcess.start((await Upstream.start()).address)
  expect(await outputOf('java', [join(clients, 'JavaClient.java'), proxy.url], { timeoutMs: 40_000 })).toBe('ok\n')
  expect(await proxy.stop()).toBe(0)
})
