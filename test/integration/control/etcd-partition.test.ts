/** Replicas and a network that loses what it is given: who leads, who believes to lead, what was acknowledged. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openEtcdStore } from '../../../src/control/store/etcd.js'
import type { Store } from '../../../src/control/store/store.js'
import { type Etcd, startEtcd } from '../../kit/etcd.js'
import { type EtcdRelay, startEtcdRelay } from '../../kit/etcd-relay.js'
import { endPrograms } from '../../kit/program.js'
import { put, route, write } from '../../kit/store-writes.js'

let etcd: Etcd
let relay: EtcdRelay
let prefixes = 0
const opened: Store[] = []
beforeAll(async () => {
  etcd = await startEtcd()
})
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close()
  await relay.end()
})
afterAll(endPrograms)

/** The first leads, and reaches etcd through the relay. */
async function twoReplicas(): Promise<[Store, Store]> {
  relay = await startEtcdRelay(etcd.port)
  prefixes += 1
  const open = async (id: string, url: string) => {
    const more = { prefix: `/partition-${prefixes}/`, nowMs: Date.now, timeoutMs: 500 }
    const store = await openEtcdStore({ urls: [url], id, address: `http://${id}.example`, ...more })
    opened.push(store)
    return store
  }
  return [await open('one', relay.url), await open('two', etcd.url)]
}

const leads = (store: Store) => store.status().leader?.isSelf === true

/** Resolves when the condition holds; `each` is asked in every turn of the loop. */
async function until(condition: () => boolean, each = () => {}): Promise<void> {
  const signal = AbortSignal.timeout(20_000)
  while (!condition()) {
    each()
    signal.throwIfAborted()
    await new Promise((resolve) => setImmediate(resolve))
  }
}

describe.each(['silent', 'cut'] as const)('a leader whose way to etcd is %s', (how) => {
  it('stops to believe before another leads, loses nothing that it acknowledged, and follows when it is back', async () => {
    const [one, two] = await twoReplicas()
    const acknowledged = new Map<string, number>()
    let commits = 0
    let going = true
    const writer = (async () => {
      while (going) {
        commits += 1
        const n = commits
        const name = `r${n % 10}`
        await write(one, 'alice', put(name, { n })).then(
          () => acknowledged.set(name, n),
          () => {},
        )
        await new Promise((resolve) => setImmediate(resolve))
      }
    })()
    await until(() => acknowledged.size === 10)
    if (how === 'silent') relay.silence(true)
    else await relay.cut()
    let both = 0
    await until(
      () => leads(two),
      () => {
        if (leads(one) && leads(two)) both += 1
      },
    )
    expect([both, leads(one)]).toEqual([0, false])
    expect(one.status().writable).toBe(false)
    going = false
    await writer
    // It serves what it had; the other has everything that was acknowledged.
    expect(one.get(route('r1'))).not.toBeNull()
    for (const [name, n] of acknowledged) expect(two.get(route(name))?.value.n).toBeGreaterThanOrEqual(n)
    await write(two, 'bob', put('r1', { n: -1 }))
    if (how === 'silent') relay.silence(false)
    else await relay.mend()
    await until(() => one.revision() === two.revision() && one.status().leader?.id === 'two')
    expect(one.list()).toEqual(two.list())
    await expect(write(one, 'alice', put('r1', { n: -2 }))).rejects.toMatchObject({ code: 'WEFT_STORE_NOT_LEADER' })
  })
})
