/** A program that starts and closes proxies over and over: nothing of them is left, and it ends by itself. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { dist } from '../../kit/package.js'
import { endPrograms, outputOf } from '../../kit/program.js'
import { scratchFolder } from '../../kit/scratch.js'

afterEach(endPrograms)

/** Prints descriptors, threads and private KiB after a quarter of the starts, and at the end. */
const program = (starts: number, workers: number) => `
import { createServer, get, Agent } from 'node:http'
import { readdirSync, readFileSync } from 'node:fs'
import { startProxy } from '${dist}/index.js'
const service = createServer((_, response) => response.end('ok')).listen(0, '127.0.0.1')
await new Promise((resolve) => service.once('listening', resolve))
const agent = new Agent({ keepAlive: true })
const config = {
  listeners: [{ name: 'edge', address: '127.0.0.1:0', limits: { maxConnections: 100 } }],
  routes: [{ name: 'all', forward: [{ cluster: 'app' }] }],
  clusters: [{ name: 'app', endpoints: ['127.0.0.1:' + service.address().port] }],
}
const ask = (port) => new Promise((resolve, reject) => {
  get({ port, agent }, (answer) => answer.resume().once('end', resolve)).once('error', reject)
})
for (let i = 1; i <= ${starts}; i += 1) {
  const proxy = await startProxy(config, { workers: ${workers} })
  await ask(proxy.address('edge').port)
  await proxy.close()
  if (i === ${starts / 4} || i === ${starts}) {
    gc()
    const status = readFileSync('/proc/self/status', 'utf8')
    const held = [readdirSync('/proc/self/fd').length, readdirSync('/proc/self/task').length]
    console.log(JSON.stringify([...held, Number(/RssAnon:\\s+(\\d+)/.exec(status)[1])]))
  }
}
service.close()
service.closeAllConnections()
`

it.each([
  [200, 0],
  [40, 2],
])('%i starts with %i workers leave no descriptor, no thread and little memory', async (starts, workers) => {
  const file = join(scratchFolder(), 'many-starts.mjs')
  writeFileSync(file, program(starts, workers))
  const output = await outputOf(process.execPath, ['--expose-gc', file], { timeoutMs: 50_000 })
  const [early, late] = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as [number, number, number])
  if (early === undefined || late === undefined) throw new Error(output)
  expect(late[0] - early[0]).toBeLessThanOrEqual(2)
  expect(late[1] - early[1]).toBeLessThanOrEqual(1)
  expect(late[2] - early[2], output).toBeLessThan(20 * 1024)
})
