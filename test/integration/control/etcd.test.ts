/** The store on a real etcd: the table of every store, two replicas, hand-over, fencing, compaction, partitions. */
import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type EtcdStoreOptions, openEtcdStore } from '../../../src/control/store/etcd.js'
import { EtcdClient } from '../../../src/control/store/etcd-client.js'
import type { Store, WatchEvent } from '../../../src/control/store/store.js'
import { makeAuthority } from '../../kit/certificates.js'
import { type Etcd, startEtcd } from '../../kit/etcd.js'
import { startEtcdRelay } from '../../kit/etcd-relay.js'
import { endPrograms, outputOf } from '../../kit/program.js'
import { describeStore } from '../../kit/store-conformance.js'
import { put, remove, route, write } from '../../kit/store-writes.js'

let etcd: Etcd
let prefixes = 0
const opened: Store[] = []
beforeAll(async () => {
  etcd = await startEtcd()
})
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close()
})
afterAll(endPrograms)

async function open(id: string, prefix: string, more: Partial<EtcdStoreOptions> = {}): Promise<Store> {
  const address = `http://${id}.example`
  const store = await openEtcdStore({ urls: [etcd.url], id, address, prefix, nowMs: Date.now, timeoutMs: 500, ...more })
  opened.push(store)
  return store
}

function freshPrefix(): string {
  prefixes += 1
  return `/weft-${prefixes}/`
}

const etcdctl = (...args: string[]) =>
  outputOf('etcdctl', ['--endpoints', etcd.url, ...args], { env: { ETCDCTL_API: '3' } })

/** Resolves when the condition holds, looked at after each change of status and each commit. */
function until(store: Store, condition: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (!condition()) return
      endStatus()
      endWatch()
      resolve()
    }
    const endStatus = store.onStatus(look)
    const endWatch = store.watch(store.revision() + 1, () => setImmediate(look))
    look()
  })
}

const leads = (store: Store) => store.status().leader?.isSelf === true

describeStore('the store on etcd', (warn) => open('one', freshPrefix(), warn && { warn }))

describe('two replicas on etcd', () => {
  it('agree on one leader; the other reads what it writes and refuses to write', async () => {
    const prefix = freshPrefix()
    const [one, two] = [await open('one', prefix), await open('two', prefix)]
    expect([leads(one), leads(two)]).toEqual([true, false])
    await write(one, 'alice', put('a', { n: 1 }))
    await until(two, () => two.revision() === 1)
    expect(two.get(route('a'))).toEqual(one.get(route('a')))
    expect(two.history(route('a'))).toEqual(one.history(route('a')))
    await expect(write(two, 'bob', put('a', {}))).rejects.toMatchObject({
      code: 'WEFT_STORE_NOT_LEADER',
      message: 'two may not write: one leads',
      path: 'http://one.example',
    })
    expect(two.status()).toMatchObject({ writable: false, reason: 'one leads', leader: { id: 'one', isSelf: false } })
  })

  it('hand over at once when the leader ends, and give the next one everything', async () => {
    const prefix = freshPrefix()
    const [one, two] = [await open('one', prefix), await open('two', prefix)]
    await write(one, 'alice', put('a', { n: 1 }))
    await write(one, 'alice', remove('a'))
    await one.close()
    await until(two, () => leads(two))
    expect((await write(two, 'bob', put('a', { n: 2 }, 0))).revision).toBe(3)
    const three = await open('three', prefix)
    expect(three.list()).toEqual(two.list())
    expect(three.history(route('a'))).toEqual(two.history(route('a')))
  })

  it('fence a leader that still believes in itself', async () => {
    const prefix = freshPrefix()
    // A lease so long that the first leader has no reason to doubt.
    const one = await open('one', prefix, { leaseTtlS: 60 })
    const two = await open('two', prefix)
    await write(one, 'alice', put('a', { n: 1 }))
    await etcdctl('del', `${prefix}leader`)
    await until(two, () => leads(two))
    expect(leads(one)).toBe(true)
    await write(two, 'bob', put('a', { n: 2 }))
    await expect(write(one, 'alice', put('a', { n: 3 }))).rejects.toMatchObject({ code: 'WEFT_STORE_NOT_LEADER' })
    expect(leads(one)).toBe(false)
    await until(one, () => one.revision() === 2)
    expect([one.get(route('a'))?.value, two.get(route('a'))?.value]).toEqual([{ n: 2 }, { n: 2 }])
  })

  it('learn a former leader’s last commit before they write', async () => {
    const prefix = freshPrefix()
    const relay = await startEtcdRelay(etcd.port)
    const one = await open('one', prefix, { urls: [relay.url] })
    await write(one, 'alice', put('a', { n: 1 }))
    // Put in behind its back, as a former leader's commit that it has not heard of: the number has moved on.
    relay.holdWatches(true)
    const client = new EtcdClient({ urls: [etcd.url] })
    const commit = { revision: 2, atMs: 1, author: 'late', reason: 'test', changes: [] }
    await client.txn(
      [],
      [
        { put: `${prefix}commits/${'2'.padStart(16, '0')}`, value: JSON.stringify(commit) },
        { put: `${prefix}revision`, value: '2' },
      ],
    )
    expect(one.revision()).toBe(1)
    expect((await write(one, 'alice', put('a', { n: 3 }))).revision).toBe(3)
    client.close()
    await relay.end()
  })

  it('survive a compaction that they slept through by reading again, commit by commit while those are kept', async () => {
    const prefix = freshPrefix()
    const one = await open('one', prefix)
    const before = await startEtcdRelay(etcd.port)
    const two = await open('two', prefix, { urls: [before.url] })
    await write(one, 'alice', put('a', { n: 1 }))
    await until(two, () => two.revision() === 1)
    await before.cut()
    await write(one, 'alice', put('a', { n: 2 }), put('b', {}))
    await write(one, 'alice', remove('b'))
    const { header } = JSON.parse(await etcdctl('get', 'x', '-w', 'json')) as { header: { revision: number } }
    await etcdctl('compact', String(header.revision))
    const events: WatchEvent[] = []
    two.watch(2, (event) => events.push(event))
    await before.mend()
    await until(two, () => two.revision() === 3)
    expect(two.list()).toEqual(one.list())
    expect(events).toMatchObject([2, 3].map((revision) => ({ type: 'commit', applied: { revision } })))
    await before.cut()
    await write(one, 'alice', put('c', {}))
    await etcdctl('del', '--prefix', `${prefix}commits/`)
    await etcdctl('compact', String(header.revision + 2))
    await before.mend()
    await until(two, () => two.revision() === 4)
    expect(events.slice(2)).toEqual([{ type: 'relist', revision: 4 }])
    expect(two.list()).toEqual(one.list())
    await write(one, 'alice', put('d', {}))
    await until(two, () => two.revision() === 5)
    await before.end()
  })
})

describe('what replicas tell each other', () => {
  const toldBy = (store: Store, id: string) => Object.fromEntries(store.replicas?.told().get(id) ?? [])
  const untilTold = (store: Store, condition: () => boolean) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (!condition()) return
        end?.()
        resolve()
      }
      const end = store.replicas?.onTold(look)
      look()
    })

  it('is heard by the others, makes no revision, and is gone with the one that said it', async () => {
    const prefix = freshPrefix()
    const [one, two] = [await open('a/one', prefix), await open('two', prefix)]
    one.replicas?.tell('x', { n: 1 })
    one.replicas?.tell('y', { n: 2 })
    await untilTold(two, () => 'y' in toldBy(two, 'a/one'))
    expect(toldBy(two, 'a/one')).toEqual({ x: { n: 1 }, y: { n: 2 } })
    expect(toldBy(one, 'a/one')).toEqual({})
    one.replicas?.tell('x', null)
    one.replicas?.tell('y', { n: 3 })
    await untilTold(two, () => toldBy(two, 'a/one').y?.n === 3 && !('x' in toldBy(two, 'a/one')))
    expect([one.revision(), two.revision()]).toEqual([0, 0])
    const three = await open('three', prefix)
    await untilTold(three, () => 'y' in toldBy(three, 'a/one'))
    await one.close()
    await untilTold(two, () => !('y' in toldBy(two, 'a/one')))
  })

  it('is said again when its lease was lost, and when etcd comes back', async () => {
    const own = await startEtcd()
    const urls = [own.url]
    const prefix = freshPrefix()
    const [one, two] = [await open('one', prefix, { urls }), await open('two', prefix, { urls })]
    one.replicas?.tell('x', { n: 1 })
    await untilTold(two, () => 'x' in toldBy(two, 'one'))
    await own.program.kill()
    one.replicas?.tell('x', { n: 2 })
    const again = await startEtcd(own)
    await untilTold(two, () => toldBy(two, 'one').x?.n === 2)
    const leases = await outputOf('etcdctl', ['--endpoints', own.url, 'get', `${prefix}replicas/one/x`, '-w', 'json'], {
      env: { ETCDCTL_API: '3' },
    })
    const { kvs } = JSON.parse(leases) as { kvs: { lease: number }[] }
    let gone = 0
    two.replicas?.onTold(() => {
      if (!('x' in toldBy(two, 'one'))) gone += 1
    })
    const lease = BigInt(/"lease":(\d+)/.exec(leases)?.[1] ?? kvs[0]?.lease ?? 0).toString(16)
    await outputOf('etcdctl', ['--endpoints', own.url, 'lease', 'revoke', lease], { env: { ETCDCTL_API: '3' } })
    await untilTold(two, () => gone > 0 && 'x' in toldBy(two, 'one'))
    await one.close()
    await two.close()
    await again.program.kill()
  })
})

describe('the store on etcd', () => {
  it('reads on, refuses to write and says why while etcd does not answer, and works again after', async () => {
    const own = await startEtcd()
    const store = await open('one', freshPrefix(), { urls: [own.url] })
    await write(store, 'alice', put('a', { n: 1 }))
    own.program.signal('SIGSTOP')
    await expect(write(store, 'alice', put('a', { n: 2 }))).rejects.toMatchObject({
      code: 'WEFT_STORE_UNREACHABLE',
      message: expect.stringMatching(/^etcd at http.* does not answer/),
      hint: expect.stringContaining('is not known'),
    })
    await until(store, () => !store.status().writable)
    expect(store.get(route('a'))?.value).toEqual({ n: 1 })
    expect(store.status().reason).toContain('does not answer')
    await expect(write(store, 'alice', put('a', { n: 3 }))).rejects.toMatchObject({ code: 'WEFT_STORE_UNREACHABLE' })
    own.program.signal('SIGCONT')
    await until(store, () => store.status().writable)
    const { revision } = await write(store, 'alice', put('a', { n: 4 }))
    expect(store.get(route('a'))).toMatchObject({ value: { n: 4 }, version: revision })
    await own.program.kill()
    await until(store, () => !store.status().writable)
    const again = await startEtcd(own)
    await until(store, () => store.status().writable)
    await write(store, 'alice', put('a', { n: 5 }))
    expect(store.get(route('a'))?.value).toEqual({ n: 5 })
    await store.close()
    await again.program.kill()
  })

  it('speaks TLS and shows its certificate', async () => {
    const authority = makeAuthority()
    const node = authority.issue('etcd', 'IP:127.0.0.1')
    const own = await startEtcd(undefined, { ...node, clientCa: authority.ca })
    const ca = readFileSync(authority.ca, 'utf8')
    const { certificate, key } = authority.issue('control', 'DNS:control')
    const pair = { certificate: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') }
    const store = await open('one', freshPrefix(), { urls: [own.url], ca, ...pair })
    await write(store, 'alice', put('a', { n: 1 }))
    const two = await open('two', `/weft-${prefixes}/`, { urls: [own.url], ca, ...pair })
    expect(two.list()).toEqual(store.list())
    for (const wrong of [{ ca }, { ...pair }]) {
      await expect(open('three', freshPrefix(), { urls: [own.url], ...wrong })).rejects.toMatchObject({
        code: 'WEFT_STORE_UNREACHABLE',
      })
    }
    await two.close()
    await store.close()
    await own.program.kill()
  })

  it('does not start where etcd does not answer', async () => {
    await expect(open('one', freshPrefix(), { urls: ['http://127.0.0.1:1'] })).rejects.toMatchObject({
      code: 'WEFT_STORE_UNREACHABLE',
    })
  })

  it('refuses a commit of more changes than a transaction takes, and shares one between many small commits', async () => {
    const store = await open('one', freshPrefix())
    const many = Array.from({ length: 130 }, (_, n) => put(`r${n}`, {}))
    await expect(write(store, 'alice', ...many)).rejects.toMatchObject({ code: 'WEFT_STORE_TOO_LARGE' })
    const all = await Promise.all(
      Array.from({ length: 300 }, (_, n) => write(store, 'alice', put(`r${n % 50}`, { n }))),
    )
    expect(all.map(({ revision }) => revision)).toEqual(Array.from({ length: 300 }, (_, n) => n + 1))
    const same = await open('two', `/weft-${prefixes}/`)
    expect(same.list()).toEqual(store.list())
  })

  it('reads a state of many pages and megabytes', async () => {
    const prefix = freshPrefix()
    // Megabytes take their time on a busy machine.
    const store = await open('one', prefix, { timeoutMs: 10_000 })
    const pad = 'x'.repeat(20_000)
    await Promise.all(Array.from({ length: 450 }, (_, n) => write(store, 'alice', put(`r${n}`, { n, pad }))))
    const same = await open('two', prefix)
    expect(same.revision()).toBe(450)
    expect(same.list()).toEqual(store.list())
  })
})
