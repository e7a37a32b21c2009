/** Filters in threads of their own: whatever one does, it alone pays for it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { PoolScript } from '../../../src/filters/pool/call.js'
import { FilterPool, type Outcome } from '../../../src/filters/pool/filter-pool.js'
import type { FilterLine } from '../../../src/filters/script-host.js'
import type { PoolCount } from '../../../src/filters/thread-sheet.js'

const root = new URL('../../..', import.meta.url).pathname
let folder = ''
let entry = ''
let pool: FilterPool | null = null
let logged: FilterLine[] = []

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'weft-pool-'))
  entry = join(folder, 'entry.mjs')
  const entryPoints = [join(root, 'test/kit/pool-thread-entry.ts')]
  await build({ entryPoints, outfile: entry, bundle: true, platform: 'node', format: 'esm' })
})
afterAll(() => rmSync(folder, { recursive: true }))
afterEach(async () => {
  await pool?.close()
  pool = null
  logged = []
})

/** What it counts from now on. */
function start({ threads = 2, maxQueue = 64 } = {}) {
  const counts = { calls: 0, late: 0, refused: 0, repeated: 0, threadsEnded: 0 }
  const count = (name: PoolCount) => {
    counts[name] += 1
  }
  pool = new FilterPool({ threads, maxQueue, maxHeapMb: 32, log: (line) => logged.push(line), count, entry })
  return counts
}

const script = (id: number, timeBudgetMs = 200, url = 'misdeeds'): PoolScript => ({
  id,
  name: 'misdeeds',
  url,
  options: null,
  timeBudgetMs,
})

function run(text: string, by = script(1)): Promise<Outcome> {
  const call = { phase: 0, text, bytes: null, last: true, kept: { seen: text } }
  return new Promise((resolve) => {
    const refusal = pool?.run(by, call, resolve) ?? null
    if (refusal !== null) resolve({ said: undefined, kept: null, failure: refusal })
  })
}

describe('a filter in the pool', () => {
  it('answers, at once or later, and gets back what it keeps', async () => {
    start()
    expect(await run('echo')).toEqual({ said: 'echo done', kept: { seen: 'echo' }, failure: null })
    expect(await run('wait: 5')).toEqual({ said: 'wait done', kept: { seen: 'wait: 5' }, failure: null })
    const many = await Promise.all(Array.from({ length: 40 }, () => run('wait: 20')))
    expect(many.every(({ failure }) => failure === null)).toBe(true)
  })

  it.each(['spin', 'wait, then spin', 'wait for ever'])('fails at its time budget: %s', async (misdeed) => {
    const counts = start()
    await run('echo')
    const begun = performance.now()
    expect((await run(misdeed, script(2, 30))).failure).toBe('it took longer than its timeBudget of 30 ms')
    expect(performance.now() - begun).toBeLessThan(500)
    expect(counts.late).toBe(1)
    expect((await run('echo')).failure).toBeNull()
  })

  it('keeps its thread when it has yielded', async () => {
    const counts = start({ threads: 1 })
    await run('echo')
    const late = await Promise.all(Array.from({ length: 10 }, () => run('wait for ever', script(2, 30))))
    expect(late.every(({ failure }) => failure?.includes('timeBudget'))).toBe(true)
    // One that ended would have this one begun on another thread.
    expect((await run('wait: 120')).failure).toBeNull()
    expect(counts).toMatchObject({ threadsEnded: 0, repeated: 0 })
  })

  it.each(['exit', 'eat memory', 'throw later'])('fails alone when it ends its thread: %s', async (misdeed) => {
    const counts = start({ threads: 1 })
    await run('echo')
    const failed = run(misdeed, script(2, 2_000))
    const others = await Promise.all(Array.from({ length: 8 }, () => run('echo')))
    expect((await failed).failure).toMatch(/^its thread ended: /)
    expect(others.map(({ failure }) => failure)).toEqual(Array(8).fill(null))
    expect(counts.threadsEnded).toBe(1)
  })

  it('is begun again when another one ended the thread that both were on', async () => {
    const counts = start({ threads: 1 })
    await run('echo')
    const waiting = run('wait: 80', script(1, 2_000))
    const spinning = run('spin', script(2, 20))
    expect((await spinning).failure).toContain('timeBudget')
    expect(await waiting).toMatchObject({ said: 'wait done', failure: null })
    expect(counts).toMatchObject({ repeated: 1, threadsEnded: 1 })
  })

  it('is suspended when it ends one thread after the other, and nobody else is', async () => {
    start({ threads: 1 })
    for (let end = 0; end < 4; end += 1) expect((await run('exit', script(2))).failure).toMatch(/^its thread ended/)
    expect((await run('exit', script(2))).failure).toMatch(
      /^it is suspended for 100 ms, because it has ended 4 threads/,
    )
    expect((await run('echo')).failure).toBeNull()
  })

  it('is refused beyond the open calls that are allowed, and counted', async () => {
    const counts = start({ threads: 1, maxQueue: 4 })
    const outcomes = await Promise.all(Array.from({ length: 6 }, () => run('wait: 10')))
    expect(outcomes.map(({ failure }) => failure)).toEqual([
      ...[null, null, null, null],
      ...['too many calls wait for the pool', 'too many calls wait for the pool'],
    ])
    expect(counts.refused).toBe(2)
    expect((await run('echo')).failure).toBeNull()
  })

  it('does not wait for ever for a thread that loads another one', { timeout: 20_000 }, async () => {
    start({ threads: 1 })
    await run('echo')
    const looping = pool?.load(script(2, 30, 'loops')).catch((error: Error) => error.message)
    expect((await run('echo')).failure).toBe('no thread of the pool was free for 10000 ms')
    await pool?.close()
    expect(await looping).toBe('the pool is closed')
  })

  it('goes on to its end in a pool that is retired, which ends then', async () => {
    start({ threads: 1 })
    const waiting = run('wait: 50')
    const retired = pool?.retire()
    expect((await waiting).failure).toBeNull()
    await retired
    expect((await run('echo')).failure).toBe('the pool is closed')
  })

  it('is refused when its module cannot be loaded', async () => {
    start()
    await expect(pool?.load(script(1, 30, 'missing'))).rejects.toThrow('there is no such module')
    await expect(pool?.load(script(2))).resolves.toBeUndefined()
  })
})
