/** A rotation over a real store and real keys: when its steps are taken. */
import { join } from 'node:path'
import { afterEach, expect, it, vi } from 'vitest'
import { makeAuthority } from '../../../../src/control/ca/authority-files.js'
import { Rotation } from '../../../../src/control/ca/rotation.js'
import { makeRequest, startIssuer, type TestIssuer } from '../../../kit/issuer.js'
import { removeScratch } from '../../../kit/scratch.js'

let running: TestIssuer
let rotation: Rotation
afterEach(async () => {
  rotation.close()
  await running.close()
  removeScratch()
})

const minute = 60_000
const hour = 60 * minute
const patiently = { timeout: 20_000 }

/** `leafMs`: how long certificates last by now; those that were issued before last an hour. */
async function start(leafMs: number) {
  running = await startIssuer({ leafMs: hour })
  const { trust, ledger, clock, folder } = running
  const seen = { waiting: ['envoy-1'], dropped: [] as string[] }
  rotation = new Rotation({
    ...{ trust, leafMs, settleMs: minute, nowMs: () => clock.nowMs },
    lastEndMs: (id) => ledger.lastEndMs(id),
    waiting: () => seen.waiting,
    isLeading: () => true,
    dropped: (id) => seen.dropped.push(id),
    say: () => {},
  })
  const place = { folder: join(folder, 'ca'), passphrase: null, secret: null }
  const begin = async () => {
    const made = makeAuthority(place, 'shop.example', clock.nowMs)
    await rotation.begin(made, 'test')
    return made.id
  }
  return { seen, trust, clock, begin }
}

it.each([
  // Issued a minute before the new root issues.
  ['the last certificate that it has issued', 10 * minute, 59 * minute],
  ['what another replica may have issued with it', 3 * hour, 3 * hour],
])('keeps the old root for %s, and lets nobody issue before everybody trusts', async (_, leafMs, lastsMs) => {
  const { seen, trust, clock, begin } = await start(leafMs)
  await running.issuer.sign({ namespace: 'shop', account: 'cart' }, makeRequest().request, {
    by: 'test',
    lastsMs: null,
  })
  const old = trust.inState('issuing')?.id
  const fresh = await begin()
  clock.nowMs += minute
  expect(rotation.next()).toEqual({ do: 'wait', why: 'the new root is not taken yet by envoy-1' })
  seen.waiting = []
  await vi.waitFor(() => expect(trust.inState('issuing')?.id).toBe(fresh), patiently)

  const untilMs = clock.nowMs + lastsMs + minute
  expect(trust.inState('retiring')).toMatchObject({ id: old, untilMs })
  clock.nowMs = untilMs - 1
  expect(rotation.next()).toMatchObject({ do: 'wait', why: expect.stringContaining('last until') })
  expect([trust.all().length, seen.dropped]).toEqual([2, []])
  clock.nowMs = untilMs
  await vi.waitFor(() => expect(seen.dropped).toEqual([old]), patiently)
  expect(trust.all().map(({ id }) => id)).toEqual([fresh])
})
