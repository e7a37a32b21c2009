/** An application may start proxies in threads of its own, one of which loads the engine first and ends before the others. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { dist } from '../../kit/package.js'
import { endPrograms, outputOf } from '../../kit/program.js'
import { scratchFolder } from '../../kit/scratch.js'

afterEach(endPrograms)

const program = `
import { once } from 'node:events'
import { Worker, isMainThread } from 'node:worker_threads'
import { startProxy } from '${dist}/index.js'
const config = {
  listeners: [{ name: 'edge', address: '127.0.0.1:0', limits: { maxConnections: 100 } }],
  routes: [{ name: 'all', respond: { status: 200, body: 'here' } }],
}
const serveOnce = async () => {
  const proxy = await startProxy(config)
  const answer = await fetch('http://127.0.0.1:' + proxy.address('edge').port)
  const text = await answer.text()
  await proxy.close()
  return text
}
if (!isMainThread) console.log('thread', await serveOnce())
else {
  for (let turn = 0; turn < 3; turn += 1) {
    const [code] = await once(new Worker(new URL(import.meta.url)), 'exit')
    console.log('ended with', code)
  }
  console.log('main', await serveOnce())
}
`

it('a thread that loaded the engine first may end: others, and the main thread, start proxies afterwards', async () => {
  const file = join(scratchFolder(), 'in-a-thread.mjs')
  writeFileSync(file, program)
  const lines = (await outputOf(process.execPath, [file], { timeoutMs: 30_000 })).trim().split('\n')
  const turn = ['thread here', 'ended with 0']
  expect(lines).toEqual([...turn, ...turn, ...turn, 'main here'])
})
