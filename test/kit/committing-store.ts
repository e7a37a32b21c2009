/**
 * A process that is there to be killed: opens the embedded store in the folder of its argument and commits without end,
 * four writers side by side. Prints what it found, then one line per acknowledged commit, at once and unbuffered.
 */
import { writeSync } from 'node:fs'
import { openEmbeddedStore } from '../../src/control/store/embedded.js'
import { put, write } from './store-writes.js'

const [folder = '', firstText = '0'] = process.argv.slice(2)
// A small log, so that rotation and snapshots are killed as often as commits.
const store = await openEmbeddedStore({ folder, nowMs: Date.now, maxLogBytes: 8_192 })
writeSync(1, `opened ${store.revision()} ${store.status().findings.length}\n`)

let n = Number(firstText)
async function writer(name: string): Promise<never> {
  for (;;) {
    n += 1
    const mine = n
    const key = `r${mine % 24}`
    const { revision } = await write(store, name, put(key, { n: mine, pad: 'x'.repeat(mine % 300) }))
    writeSync(1, `acked ${revision} ${key} ${mine}\n`)
  }
}
await Promise.all(['one', 'two', 'three', 'four'].map(writer))
