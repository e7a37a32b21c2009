/** Log rotation: the file is moved away under traffic, SIGUSR1 opens a new one, and no line is lost. */
import { readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { request } from 'undici'
import { afterAll, expect, it } from 'vitest'
import { closeUpstreams, Upstream } from '../../kit/http-upstream.js'
import { endPrograms } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'
import { scratchFolder } from '../../kit/scratch.js'

afterAll(async () => {
  await endPrograms()
  await closeUpstreams()
})

it('every request has its line in one of the files, in order, through five rotations', async () => {
  const upstream = await Upstream.start()
  const path = join(scratchFolder(), 'access.log')
  const proxy = await ProxyProcess.start(upstream.address, {
    listener: { accessLog: { path, format: '%REQ(X-REQUEST-ID)% %REQ(COOKIE)%\n' } },
  })
  let sent = 0
  let rotating = true
  const traffic = (async () => {
    while (rotating) {
      const headers = { 'x-request-id': `r-${sent}`, cookie: 'secret' }
      sent += 1
      await request(`${proxy.url}/bytes/1`, { headers }).then(({ body }) => body.dump())
    }
  })()
  const files: string[] = []
  for (let turn = 0; turn < 5; turn++) {
    const from = proxy.output.length
    renameSync(path, `${path}.${turn}`)
    files.push(`${path}.${turn}`)
    proxy.signal('SIGUSR1')
    await proxy.says('access logs opened again', from)
  }
  rotating = false
  await traffic
  expect(await proxy.stop()).toBe(0)
  const lines = [...files, path].map((file) => readFileSync(file, 'utf8')).join('')
  expect(lines.trimEnd().split('\n')).toEqual(Array.from({ length: sent }, (_, n) => `r-${n} [redacted]`))
  expect(readFileSync(path, 'utf8').length).toBeGreaterThan(0)
})
