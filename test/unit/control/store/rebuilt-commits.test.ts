/** Commits that are rebuilt from their remains, held against those that were really applied. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { formatKey } from '../../../../src/control/store/key.js'
import { rebuildCommits } from '../../../../src/control/store/rebuilt-commits.js'
import { StoreState } from '../../../../src/control/store/state.js'
import type { Applied, Commit } from '../../../../src/control/store/store.js'
import { route } from '../../../kit/store-writes.js'

const change = fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd'), value: fc.option(fc.record({ n: fc.nat() })) })
const changes = fc.uniqueArray(change, { selector: ({ name }) => name, minLength: 1, maxLength: 3 })

/** The state after these commits, each as it was applied. */
function applied(batches: { name: string; value: { n: number } | null }[][]) {
  const state = new StoreState(() => {})
  const all: Applied[] = []
  for (const [i, batch] of batches.entries()) {
    const commit = { revision: i + 1, atMs: i * 10, author: `author ${i}`, reason: 'test' }
    all.push(state.apply({ ...commit, changes: batch.map(({ name, value }) => ({ key: route(name), value })) }))
  }
  return { all, inForce: new Map(state.list().map((entry) => [formatKey(entry.key), entry])) }
}

const remains = ({ changes, ...commit }: Applied): Commit => ({
  ...commit,
  changes: changes.map(({ key, after }) => ({ key, value: after?.value ?? null })),
})

it('gives every commit back as it was applied when all are kept', () => {
  fc.assert(
    fc.property(fc.array(changes, { maxLength: 20 }), (batches) => {
      const { all, inForce } = applied(batches)
      expect(rebuildCommits(all.map(remains), inForce)).toEqual(all)
    }),
  )
})

it('gives the last ones as they were applied when older ones are gone, and none that it would have to guess', () => {
  fc.assert(
    fc.property(fc.array(changes, { minLength: 2, maxLength: 20 }), fc.nat(), (batches, cut) => {
      const { all, inForce } = applied(batches)
      const rebuilt = rebuildCommits(all.slice(cut % all.length).map(remains), inForce)
      expect(rebuilt).toEqual(all.slice(all.length - rebuilt.length))
    }),
  )
  const { all, inForce } = applied([
    [{ name: 'a', value: { n: 1 } }],
    [{ name: 'b', value: { n: 1 } }],
    [{ name: 'a', value: { n: 2 } }],
    [{ name: 'a', value: { n: 3 } }],
    [{ name: 'c', value: { n: 1 } }],
  ])
  expect(rebuildCommits(all.slice(1).map(remains), inForce)).toEqual(all.slice(3))
})

it('gives none from before a gap', () => {
  const { all, inForce } = applied([1, 2, 3, 4].map((n) => [{ name: `${n}`, value: { n } }]))
  const kept = all.filter(({ revision }) => revision !== 2).map(remains)
  expect(rebuildCommits(kept, inForce)).toEqual(all.slice(2))
})
