/** An access log that cannot be written, is moved away, or is still being written when the process ends. */
import { closeSync, existsSync, openSync, readFileSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { request } from 'undici'
import { afterEach, expect, it } from 'vitest'
import { askOnce } from '../../kit/connections.js'
import { closeUpstreams, Upstream } from '../../kit/http-upstream.js'
import { endPrograms, outputOf } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'
import { scratchFolder } from '../../kit/scratch.js'

afterEach(async () => {
  await endPrograms()
  await closeUpstreams()
})

it('a full disk: every request is served, the lines that were lost are counted', async () => {
  const upstream = await Upstream.start()
  const accessLog = { path: '/dev/full', format: `${'long '.repeat(800)}%RESPONSE_CODE%\n` }
  const proxy = await ProxyProcess.start(upstream.address, { listener: { accessLog } })
  const load = await outputOf('curl', ['-sS', '-o', '/dev/null', '-w', '%{http_code}\n', `${proxy.url}/?[1-1000]`])
  expect(load).toBe('200\n'.repeat(1000))
  expect((await proxy.stats()).counters.weft_log_lines_dropped_total).toBeGreaterThan(100)
  expect(await proxy.stop()).toBe(0)
})

it.runIf(process.getuid?.() === 0)('a disk that has room again gets the lines that waited', async () => {
  const upstream = await Upstream.start()
  const folder = scratchFolder()
  await outputOf('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder])
  try {
    const fill = join(folder, 'fill')
    await outputOf('sh', ['-c', `head -c 1M /dev/zero > ${fill} || true`])
    const path = join(folder, 'access.log')
    const accessLog = { path, format: 'status %RESPONSE_CODE%\n' }
    const proxy = await ProxyProcess.start(upstream.address, { listener: { accessLog } })
    for (let n = 0; n < 20; n++) await askOnce(proxy.url)
    expect(readFileSync(path, 'utf8')).toBe('')
    await outputOf('rm', [fill])
    await expect.poll(() => readFileSync(path, 'utf8'), { timeout: 3000 }).toBe('status 200\n'.repeat(20))
    expect(await proxy.stop()).toBe(0)
  } finally {
    await outputOf('umount', ['-l', folder])
  }
})

it('a log that was moved away is opened anew by SIGHUP', async () => {
  const upstream = await Upstream.start()
  const proxy = await ProxyProcess.start(upstream.address, {
    listener: { accessLog: { path: 'access.log', format: '%REQ(:PATH)%\n' } },
  })
  const path = join(dirname(proxy.file), 'access.log')
  await request(`${proxy.url}/before`).then(({ body }) => body.dump())
  await expect.poll(() => readFileSync(path, 'utf8')).toBe('/before\n')
  renameSync(path, `${path}.1`)
  await proxy.reload(proxy.config)
  await request(`${proxy.url}/after`).then(({ body }) => body.dump())
  await expect.poll(() => existsSync(path) && readFileSync(path, 'utf8')).toBe('/after\n')
  expect(readFileSync(`${path}.1`, 'utf8')).toBe('/before\n')
  expect(await proxy.stop()).toBe(0)
})

it('lines of the last exchanges are written before the process ends', async () => {
  const upstream = await Upstream.start()
  const proxy = await ProxyProcess.start(upstream.address, {
    listener: { accessLog: { path: 'access.log', format: '%REQ(:PATH)%\n' } },
  })
  const last = request(`${proxy.url}/hold`)
  const { response } = await upstream.held()
  proxy.signal('SIGTERM')
  const ended = proxy.end()
  await expect
    .poll(() =>
      fetch(`${proxy.admin}/ready`).then(
        ({ status }) => status,
        () => 0,
      ),
    )
    .toBe(503)
  response.end('late')
  const { statusCode, headers } = await last
  expect([statusCode, headers.connection]).toEqual([200, 'close'])
  expect(await ended).toBe(0)
  expect(readFileSync(join(dirname(proxy.file), 'access.log'), 'utf8')).toBe('/hold\n')
})

it('a pipe that nobody reads holds nothing up', async () => {
  const upstream = await Upstream.start()
  const fifo = join(scratchFolder(), 'log')
  await outputOf('mkfifo', [fifo])
  const reader = openSync(fifo, 'r+')
  const accessLog = { path: fifo, format: `${'long '.repeat(800)}%RESPONSE_CODE%\n` }
  const proxy = await ProxyProcess.start(upstream.address, { listener: { accessLog } })
  const load = await outputOf('curl', ['-sS', '-o', '/dev/null', '-w', '%{http_code}\n', `${proxy.url}/?[1-1000]`])
  expect(load).toBe('200\n'.repeat(1000))
  expect((await proxy.stats()).counters.weft_log_lines_dropped_total).toBeGreaterThan(100)
  expect(await proxy.stop()).toBe(0)
  closeSync(reader)
})
