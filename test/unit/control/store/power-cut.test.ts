/** The embedded store after a cut of power: a kill leaves what was written to the kernel, this leaves what was flushed. */
import { afterEach, expect, it } from 'vitest'
import { openEmbeddedStore } from '../../../../src/control/store/embedded.js'
import { type PowerCut, watchFlushes } from '../../../kit/power-cut.js'
import { removeScratch, scratchFolder } from '../../../kit/scratch.js'
import { put, route, write } from '../../../kit/store-writes.js'

let power: PowerCut | null = null
afterEach(() => {
  power?.end()
  power = null
  removeScratch()
})

it('has every acknowledged commit after a cut at any flush, through new logs and snapshots', async () => {
  const folder = scratchFolder()
  const acknowledged = new Map<string, number>()
  const cuts: { folder: string; acknowledged: Map<string, number> }[] = []
  const cut = () => {
    if (power !== null) cuts.push({ folder: power.cut(), acknowledged: new Map(acknowledged) })
  }
  power = await watchFlushes(folder, cut)
  const store = await openEmbeddedStore({ folder, nowMs: Date.now, maxLogBytes: 1_500 })
  for (let n = 1; n <= 30; n += 1) {
    await write(store, 'alice', put(`r${n % 5}`, { n, pad: 'x'.repeat(200) }))
    acknowledged.set(`r${n % 5}`, n)
    cut()
  }
  await store.close()
  power.end()
  expect(power.flushes()).toBeGreaterThan(40)
  let snapshots = 0
  for (const found of cuts) {
    const again = await openEmbeddedStore({ folder: found.folder, nowMs: Date.now })
    for (const [name, n] of found.acknowledged) expect(again.get(route(name))?.value.n).toBeGreaterThanOrEqual(n)
    // Nothing is damaged: what was cut short was not acknowledged.
    for (const finding of again.status().findings) expect(finding).toContain('no whole commit')
    if (again.revision() > 10) snapshots += 1
    await again.close()
  }
  expect(snapshots).toBeGreaterThan(20)
}, 60_000)
