import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { AuditLog } from '../../../src/control/audit.js'
import { openEmbeddedStore } from '../../../src/control/store/embedded.js'
import type { Store } from '../../../src/control/store/store.js'
import { watchFlushes } from '../../kit/power-cut.js'
import { removeScratch, scratchFolder } from '../../kit/scratch.js'
import { put, write } from '../../kit/store-writes.js'

const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
  removeScratch()
})

async function open(store: Store, folder: string, maxBytes?: number) {
  const warned: string[] = []
  const file = join(folder, 'audit.log')
  const log = await AuditLog.open({ store, file, warn: (text) => warned.push(text), ...(maxBytes && { maxBytes }) })
  ends.push(() => log.close())
  return { log, file, warned }
}

async function openStore(folder: string): Promise<Store> {
  const store = await openEmbeddedStore({ folder: join(folder, 'store'), nowMs: Date.now })
  ends.push(() => store.close())
  return store
}

describe('the audit log', () => {
  it('catches up with commits that it has missed, and does not swallow a line after one that was cut short', async () => {
    const folder = scratchFolder()
    const store = await openStore(folder)
    const first = await open(store, folder)
    await write(store, 'alice', put('a', { n: 1 }))
    await first.log.close()
    appendFileSync(first.file, '{"time":"2026')
    await write(store, 'bob', put('a', { n: 2 }))
    const { log } = await open(store, folder)
    await write(store, 'carol', put('a', { n: 3 }))
    expect((await log.newest(9)).map(({ who, revision }) => [who, revision])).toEqual([
      ['carol', 3],
      ['bob', 2],
      ['alice', 1],
    ])
  })

  it('goes on in a new file when one is full, and keeps its files to its owner', async () => {
    const folder = scratchFolder()
    const store = await openStore(folder)
    const { log, file } = await open(store, folder, 1_000)
    for (let n = 0; n < 40; n += 1) {
      await write(store, 'alice', put('a', { n }))
      await log.settled()
    }
    for (const name of [file, `${file}.1`, `${file}.4`]) {
      expect([statSync(name).size <= 1_000, statSync(name).mode & 0o777]).toEqual([true, 0o600])
    }
    expect(existsSync(`${file}.5`)).toBe(false)
    expect(JSON.parse(readFileSync(file, 'utf8').trimEnd().split('\n').at(-1) ?? '')).toMatchObject({ revision: 40 })
  })

  it('has what was issued after a cut of power, in a new file as well', async () => {
    const folder = scratchFolder()
    const [place, store] = [join(folder, 'audit'), await openStore(folder)]
    mkdirSync(place)
    const { log } = await open(store, place, 1_000)
    const power = await watchFlushes(place)
    try {
      for (let n = 0; n < 30; n += 1) {
        await log.issued('test', `identity ${n}`, {}, new Date(n))
        const found = power.cut()
        const texts = readdirSync(found).map((name) => readFileSync(join(found, name), 'utf8'))
        expect([n, texts.some((text) => text.includes(`"identity ${n}"`))]).toEqual([n, true])
      }
    } finally {
      power.end()
    }
    expect(existsSync(join(place, 'audit.log.2'))).toBe(true)
  })

  it('says when it cannot write, and writes what is missing as soon as it can', async () => {
    const folder = scratchFolder()
    const store = await openStore(folder)
    const { log, file, warned } = await open(store, join(folder, 'missing'))
    await write(store, 'alice', put('a', { n: 1 }))
    await log.settled()
    expect(warned).toEqual([expect.stringContaining('the audit log cannot be written')])
    mkdirSync(join(folder, 'missing'))
    await write(store, 'bob', put('a', { n: 2 }))
    await log.settled()
    expect(readFileSync(file, 'utf8').trimEnd().split('\n')).toHaveLength(2)
  })
})
