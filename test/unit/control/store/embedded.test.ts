/** The embedded store on a real folder: durability, damage, a full disk, the lock. */
import { appendFileSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { type EmbeddedOptions, openEmbeddedStore } from '../../../../src/control/store/embedded.js'
import type { Store } from '../../../../src/control/store/store.js'
import { removeScratch, scratchFolder } from '../../../kit/scratch.js'
import { describeStore } from '../../../kit/store-conformance.js'
import { put, remove, route, write } from '../../../kit/store-writes.js'

const opened: Store[] = []
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close()
  removeScratch()
})

async function open(folder = scratchFolder(), more: Partial<EmbeddedOptions> = {}): Promise<Store> {
  const store = await openEmbeddedStore({ folder, nowMs: Date.now, ...more })
  opened.push(store)
  return store
}

describeStore('the embedded store', (warn) => open(scratchFolder(), warn && { warn }))

const logs = (folder: string) => readdirSync(folder).filter((name) => /^log-\d+$/.test(name))
const snapshots = (folder: string) => readdirSync(folder).filter((name) => /^snapshot-\d+$/.test(name))

describe('the embedded store', () => {
  it('is the same after it was opened again, history included', async () => {
    const folder = scratchFolder()
    const before = await open(folder)
    await write(before, 'alice', put('a', { n: 1 }), put('b', {}))
    await write(before, 'bob', put('a', { n: 2 }))
    await write(before, 'bob', remove('b'))
    const [entries, a, b] = [before.list(), before.history(route('a')), before.history(route('b'))]
    await before.close()
    const after = await open(folder)
    expect([after.revision(), after.list(), after.history(route('a')), after.history(route('b'))]).toEqual([
      3,
      entries,
      a,
      b,
    ])
    expect(after.status()).toEqual({ type: 'embedded', writable: true, reason: null, leader: null, findings: [] })
  })

  it('goes on in new logs, keeps two snapshots, and is the same when opened from them', async () => {
    const folder = scratchFolder()
    const before = await open(folder, { maxLogBytes: 2_000 })
    for (let n = 0; n < 100; n += 1) await write(before, 'alice', put(`r${n % 7}`, { n, pad: 'x'.repeat(100) }))
    await write(before, 'alice', remove('r0'))
    const [entries, history] = [before.list(), before.history(route('r0'))]
    await before.close()
    expect(snapshots(folder)).toHaveLength(2)
    expect(logs(folder).length).toBeLessThanOrEqual(4)
    const after = await open(folder)
    expect([after.revision(), after.list(), after.history(route('r0'))]).toEqual([101, entries, history])
  })

  it('is for one process and one opener', async () => {
    const folder = scratchFolder()
    const store = await open(folder)
    await expect(open(folder)).rejects.toMatchObject({ code: 'WEFT_STORE_LOCKED' })
    await store.close()
    await open(folder)
  })

  it('shares a flush between commits that come together', async () => {
    const folder = scratchFolder()
    const store = await open(folder)
    const all = await Promise.all(Array.from({ length: 200 }, (_, n) => write(store, 'alice', put(`r${n}`, { n }))))
    expect(all.map(({ revision }) => revision)).toEqual(Array.from({ length: 200 }, (_, n) => n + 1))
  })

  it('refuses changes after it was closed', async () => {
    const store = await open()
    await store.close()
    await expect(write(store, 'alice', put('a', {}))).rejects.toMatchObject({ code: 'WEFT_STORE_CLOSED' })
  })

  it('refuses a commit of more than 16 MiB and takes the next', async () => {
    const store = await open()
    const large = write(store, 'alice', put('a', { text: 'x'.repeat(17 * 1024 * 1024) }))
    const small = write(store, 'alice', put('a', {}, 0))
    await expect(large).rejects.toMatchObject({ code: 'WEFT_STORE_TOO_LARGE' })
    expect((await small).revision).toBe(1)
  })

  it('keeps its folder and files to its owner', async () => {
    const folder = join(scratchFolder(), 'data')
    await open(folder)
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600)
  })
})

/** A folder with commits 1 to `count` in one log. */
async function filled(count: number): Promise<{ folder: string; log: string }> {
  const folder = scratchFolder()
  const store = await openEmbeddedStore({ folder, nowMs: Date.now })
  for (let n = 1; n <= count; n += 1) await write(store, 'alice', put(`r${n}`, { n }))
  await store.close()
  return { folder, log: join(folder, logs(folder)[0] ?? '') }
}

function flipBit(bytes: Buffer, at: number): void {
  bytes[at] = (bytes[at] ?? 0) ^ 0x40
}

describe('a damaged embedded store', () => {
  it('is cut after the last whole commit, says so, and goes on', async () => {
    const { folder, log } = await filled(5)
    truncateSync(log, statSync(log).size - 3)
    const store = await open(folder)
    expect(store.revision()).toBe(4)
    expect(store.status().findings).toEqual([
      expect.stringMatching(/bytes at the end are no whole commit.*revision 4$/),
    ])
    expect((await write(store, 'bob', put('r5', { n: 50 }))).revision).toBe(5)
    await store.close()
    const again = await open(folder)
    expect([again.get(route('r5'))?.value, again.status().findings]).toEqual([{ n: 50 }, []])
  })

  it('is cut when something else stands at the end', async () => {
    const { folder, log } = await filled(2)
    appendFileSync(log, Buffer.alloc(4096))
    const store = await open(folder)
    expect([store.revision(), store.status().findings.length]).toEqual([2, 1])
  })

  it('gives its good beginning when the middle is damaged, keeps the file, says so, and gives no number again', async () => {
    const { folder, log } = await filled(10)
    const bytes = readFileSync(log)
    flipBit(bytes, Math.floor(bytes.length / 2))
    writeFileSync(log, bytes)
    const store = await open(folder)
    const good = store.list().length
    expect(good).toBeGreaterThan(2)
    expect(good).toBeLessThan(8)
    expect(
      store
        .list()
        .map(({ value }) => value.n)
        .sort(),
    ).toEqual(Array.from({ length: good }, (_, n) => n + 1))
    expect(store.status().findings).toEqual([expect.stringContaining('LATER COMMITS ARE LOST')])
    expect(readFileSync(`${log}.damaged`)).toEqual(bytes)
    expect((await write(store, 'bob', put('new', {}))).revision).toBeGreaterThan(1_000_000)
    await store.close()
    const again = await open(folder)
    expect([again.list().length, again.status().findings]).toEqual([good + 1, []])
  })

  it('falls back on the older snapshot without a loss', async () => {
    const folder = scratchFolder()
    const store = await open(folder, { maxLogBytes: 500 })
    for (let n = 1; n <= 30; n += 1) await write(store, 'alice', put(`r${n}`, { n }))
    await store.close()
    const newest = join(folder, snapshots(folder).at(-1) ?? '')
    const bytes = readFileSync(newest)
    flipBit(bytes, 40)
    writeFileSync(newest, bytes)
    const again = await open(folder)
    expect([again.revision(), again.list().length]).toEqual([30, 30])
    expect(again.status().findings).toEqual([
      expect.stringMatching(/snapshot of revision \d+ is damaged.*an older one serves/),
    ])
  })

  it('is refused when nothing can be read, also the second time', async () => {
    const { folder, log } = await filled(3)
    const bytes = readFileSync(log)
    flipBit(bytes, 2)
    writeFileSync(log, bytes)
    await expect(open(folder)).rejects.toMatchObject({ code: 'WEFT_STORE_CORRUPT' })
    await expect(open(folder)).rejects.toMatchObject({ code: 'WEFT_STORE_CORRUPT' })
  })

  it('notices another writer', async () => {
    const { folder, log } = await filled(3)
    const store = await open(folder, { warn: () => {} })
    // Who looks at the status must not keep the commit from its answer.
    store.onStatus(() => {
      throw new Error('this listener is broken')
    })
    appendFileSync(log, 'not ours')
    await expect(write(store, 'alice', put('a', {}))).rejects.toMatchObject({ code: 'WEFT_STORE_LOCKED' })
    expect(store.status()).toMatchObject({ writable: false, reason: expect.stringContaining('another process') })
  })
})
