/** The audit log beside a store on etcd: a change that this replica did not see happen stands in it all the same. */
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { AuditLog } from '../../../src/control/audit.js'
import { openEtcdStore } from '../../../src/control/store/etcd.js'
import type { Store } from '../../../src/control/store/store.js'
import { type Etcd, startEtcd } from '../../kit/etcd.js'
import { startEtcdRelay } from '../../kit/etcd-relay.js'
import { endPrograms, outputOf } from '../../kit/program.js'
import { removeScratch, scratchFolder } from '../../kit/scratch.js'
import { put, remove, write } from '../../kit/store-writes.js'

let etcd: Etcd
const ends: (() => Promise<void>)[] = []
beforeAll(async () => {
  etcd = await startEtcd()
})
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})
afterAll(async () => {
  await endPrograms()
  removeScratch()
})

async function open(id: string, prefix: string, url = etcd.url): Promise<Store> {
  const store = await openEtcdStore({ urls: [url], id, address: `http://${id}.example`, prefix, nowMs: Date.now })
  ends.push(() => store.close())
  return store
}

async function openAudit(store: Store, file: string, warned: string[] = []): Promise<AuditLog> {
  const log = await AuditLog.open({ store, file, warn: (text) => warned.push(text) })
  ends.push(() => log.close())
  return log
}

const etcdctl = (...args: string[]) => outputOf('etcdctl', ['--endpoints', etcd.url, ...args])
const changesIn = async (log: AuditLog) =>
  (await log.newest(20)).reverse().map(({ revision, who, before, after }) => [revision, who, before, after])

it('has what was changed while the watch was cut and etcd was compacted, and says what nobody can tell it', async () => {
  const relay = await startEtcdRelay(etcd.port)
  const [one, two] = [await open('one', '/cut/'), await open('two', '/cut/', relay.url)]
  const warned: string[] = []
  const log = await openAudit(two, join(scratchFolder(), 'audit.log'), warned)
  await write(one, 'alice', put('a', { n: 1 }))
  await expect.poll(() => two.revision()).toBe(1)
  await relay.cut()
  await write(one, 'bob', put('a', { n: 2 }))
  await write(one, 'carol', remove('a'))
  const compact = async () => {
    const { header } = JSON.parse(await etcdctl('get', 'x', '-w', 'json')) as { header: { revision: number } }
    await etcdctl('compact', String(header.revision))
  }
  await compact()
  await relay.mend()
  await expect.poll(() => two.revision()).toBe(3)
  const missed = [
    [1, 'alice', null, { n: 1 }],
    [2, 'bob', { n: 1 }, { n: 2 }],
    [3, 'carol', { n: 2 }, null],
  ]
  expect([await changesIn(log), warned]).toEqual([missed, []])
  await relay.cut()
  await write(one, 'dave', put('a', { n: 4 }))
  await etcdctl('del', '--prefix', '/cut/commits/')
  await compact()
  await relay.mend()
  await expect.poll(() => two.revision()).toBe(4)
  expect(await changesIn(log)).toEqual(missed)
  expect(warned).toEqual([expect.stringMatching(/^the revisions 4 to 4 are not in this audit log: .*weft history$/)])
  await relay.end()
})

it('has what was committed and not yet written when the only replica ended', async () => {
  const file = join(scratchFolder(), 'audit.log')
  const one = await open('one', '/ended/')
  const first = await openAudit(one, file)
  await write(one, 'alice', put('a', { n: 1 }))
  await first.close()
  await write(one, 'bob', put('a', { n: 2 }), put('b', {}))
  await write(one, 'carol', remove('b'))
  await one.close()
  const again = await openAudit(await open('one', '/ended/'), file)
  expect(await changesIn(again)).toEqual([
    [1, 'alice', null, { n: 1 }],
    [2, 'bob', { n: 1 }, { n: 2 }],
    [2, 'bob', null, {}],
    [3, 'carol', {}, null],
  ])
})
