/**
 * The embedded store killed 500 times at random moments, also while it starts, rotates and writes snapshots: no
 * acknowledged commit is lost and nothing is damaged. Four folders side by side, so that it takes less than a minute.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openEmbeddedStore } from '../../../src/control/store/embedded.js'
import { Random } from '../../kit/random.js'
import { removeScratch, scratchFolder } from '../../kit/scratch.js'

const kills = 500
const lanes = 4
const seed = Number(process.env.WEFT_SEED ?? Date.now() % 1_000_000)

let program = ''
beforeAll(async () => {
  program = join(scratchFolder(), 'committing-store.mjs')
  const entry = join(import.meta.dirname, '../../kit/committing-store.ts')
  await build({ entryPoints: [entry], outfile: program, bundle: true, platform: 'node', format: 'esm' })
})
afterAll(removeScratch)

interface Lane {
  folder: string
  random: Random
  /** The newest acknowledged commit of each key. */
  acked: Map<string, { revision: number; n: number }>
  revision: number
  n: number
  /** Lives that ended before and after their store was open. */
  early: number
  late: number
}

/** One life: half are killed some time after their first word, half some time after their start. */
async function life(lane: Lane): Promise<void> {
  const child = spawn(process.execPath, [program, lane.folder, String(lane.n)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const kill = () => void child.kill('SIGKILL')
  const waitForWord = lane.random.below(2) === 0
  const delayMs = lane.random.below(waitForWord ? 40 : 160)
  if (!waitForWord) setTimeout(kill, delayMs)
  let opened = false
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => {
    const [word, revisionText, key = '', n] = line.split(' ')
    const revision = Number(revisionText)
    if (word === 'opened') {
      opened = true
      expect(revision).toBeGreaterThanOrEqual(lane.revision)
      if (waitForWord) setTimeout(kill, delayMs)
    } else {
      lane.acked.set(key, { revision, n: Number(n) })
      lane.revision = Math.max(lane.revision, revision)
    }
    lane.n = Math.max(lane.n, Number(word === 'acked' ? n : 0))
  })
  const [, signal] = await Promise.all([once(lines, 'close'), once(child, 'exit')]).then(([, exit]) => exit)
  expect(signal).toBe('SIGKILL')
  if (opened) lane.late += 1
  else lane.early += 1
  // Numbers of commits that were not acknowledged may stand in the store: do not use them again.
  lane.n += 100
}

async function check(lane: Lane): Promise<void> {
  const store = await openEmbeddedStore({ folder: lane.folder, nowMs: Date.now })
  expect(store.revision()).toBeGreaterThanOrEqual(lane.revision)
  const found = new Map(store.list().map((entry) => [entry.key.name, entry]))
  expect([...found.keys()]).toEqual(expect.arrayContaining([...lane.acked.keys()]))
  for (const [name, { version, value }] of found) {
    const acked = lane.acked.get(name)
    expect(version).toBeGreaterThanOrEqual(acked?.revision ?? 0)
    if (version === acked?.revision) expect(value.n).toBe(acked.n)
    expect(value).toEqual({ n: value.n, pad: 'x'.repeat(Number(value.n) % 300) })
  }
  for (const finding of store.status().findings) expect(finding).toContain('no whole commit')
  expect(readdirSync(lane.folder).filter((name) => name.includes('damaged'))).toEqual([])
  await store.close()
}

describe('the embedded store', () => {
  it(`loses no acknowledged commit and damages nothing when it is killed ${kills} times`, {
    timeout: 170_000,
  }, async () => {
    process.stdout.write(`seed ${seed} (WEFT_SEED)\n`)
    const all = Array.from({ length: lanes }, (_, i): Lane => {
      const random = new Random(seed + i)
      return { folder: scratchFolder(), random, acked: new Map(), revision: 0, n: 0, early: 0, late: 0 }
    })
    await Promise.all(
      all.map(async (lane) => {
        for (let n = 1; n <= kills / lanes; n += 1) {
          await life(lane)
          if (n % 10 === 0) await check(lane)
        }
        await check(lane)
      }),
    )
    const sum = (pick: (lane: Lane) => number) => all.reduce((total, lane) => total + pick(lane), 0)
    expect(sum(({ early, late }) => early + late)).toBe(kills)
    expect(sum(({ late }) => late)).toBeGreaterThan(kills / 3)
    expect(sum(({ revision }) => revision)).toBeGreaterThan(kills)
    process.stdout.write(
      `${sum(({ revision }) => revision)} commits, ${sum(({ early }) => early)} lives ended while starting\n`,
    )
  })
})
