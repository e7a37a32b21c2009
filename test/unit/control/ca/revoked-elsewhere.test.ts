/** An identity that is revoked loses what other replicas have issued to it: each tells the leader, which takes it back. */
import { join } from 'node:path'
import { afterEach, expect, it, vi } from 'vitest'
import { Ledger } from '../../../../src/control/ca/ledger.js'
import { RevocationList } from '../../../../src/control/ca/revocation-list.js'
import type { Store, Value } from '../../../../src/control/store/store.js'
import { beganMs, startIssuer, type TestIssuer } from '../../../kit/issuer.js'
import { removeScratch } from '../../../kit/scratch.js'

let running: TestIssuer
const ends: (() => void)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) end()
  await running.close()
  removeScratch()
})

/** Two replicas that see one store and hear each other at once; only the first may write. */
function replicasOf(store: Store): { one: Store; two: Store; told: Map<string, Map<string, Value>> } {
  const told = new Map<string, Map<string, Value>>()
  const listeners = new Set<() => void>()
  const replica = (id: string, writable: boolean): Store => ({
    revision: () => store.revision(),
    get: (key) => store.get(key),
    list: (filter) => store.list(filter),
    watch: (from, listener) => store.watch(from, listener),
    history: (key) => store.history(key),
    commit: (batch) => (writable ? store.commit(batch) : Promise.reject(new Error(`${id} may not write`))),
    status: () => ({ ...store.status(), writable }),
    onStatus: (listener) => store.onStatus(listener),
    close: () => Promise.resolve(),
    replicas: {
      id,
      tell(part, value) {
        const parts = new Map(told.get(id))
        if (value === null) parts.delete(part)
        else parts.set(part, value)
        told.set(id, parts)
        for (const listener of listeners) listener()
      },
      told: () => new Map([...told].filter(([other]) => other !== id)),
      onTold(listener) {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    },
  })
  return { one: replica('one', true), two: replica('two', false), told }
}

it('is taken back at all of them, also what came into a ledger after the revocation', async () => {
  running = await startIssuer()
  const { one, two, told } = replicasOf(running.store)
  const nowMs = () => beganMs
  const elsewhere = await Ledger.open({ file: join(running.folder, 'other.log'), nowMs, warn: () => {} })
  const listOf = (store: Store, ledger: Ledger) => {
    const list = new RevocationList({ store, trust: running.trust, ledger, nowMs, clockSkewMs: 0 })
    ends.push(() => list.close())
    return list
  }
  const [leader, other] = [listOf(one, running.ledger), listOf(two, elsewhere)]
  const [cart, bank] = ['cart', 'bank'].map((name) => `spiffe://shop.example/ns/shop/sa/${name}`) as [string, string]
  const issue = (ledger: Ledger, serial: string, identity: string) =>
    ledger.add({ serial, identity, keyId: serial, authority: 'a', notAfterMs: beganMs + 3_600_000 })
  await issue(running.ledger, 'aa01', cart)
  await issue(elsewhere, 'bb01', cart)
  await issue(elsewhere, 'bb02', bank)

  await leader.revokeIdentity(cart, 'stolen', 'alice')
  await vi.waitFor(() => expect(leader.isRevoked('bb01')).toBe(true), { timeout: 20_000 })
  expect(['aa01', 'bb01', 'bb02'].map((serial) => other.isRevoked(serial))).toEqual([true, true, false])
  expect(leader.all().find(({ serial }) => serial === 'bb01')).toMatchObject({ by: 'alice', reason: 'stolen' })
  expect(told.get('two')?.size).toBe(0)

  // One that was being signed while its identity was revoked.
  await issue(elsewhere, 'bb03', cart)
  other.report()
  await vi.waitFor(() => expect(other.isRevoked('bb03')).toBe(true), { timeout: 20_000 })
  await elsewhere.close()
})
