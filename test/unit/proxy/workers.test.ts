import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { beatMs, replacementDelayMs, startWorkers } from '../../../src/proxy/workers.js'
import { FakeEngine, FakeThreads, MemoryLogger } from '../../kit/fake-engine.js'

const engine = () => {
  const addon = new FakeEngine()
  addon.createProxy('weft', 2)
  addon.calls = []
  return addon
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

async function start(addon = engine(), threads = new FakeThreads(), count = 2) {
  const logger = new MemoryLogger()
  const options = { addon, proxy: 7, count, startThread: threads.start, ahead: null, logger }
  return { addon, threads, logger, workers: await startWorkers(options) }
}

describe('the traffic threads', () => {
  it('all serve when the start resolves', async () => {
    const { workers, threads } = await start()
    expect(workers.serving()).toBe(2)
    expect(threads.started.map(({ worker }) => worker)).toEqual([0, 1])
    await workers.close()
  })

  it('make the start fail when one of them ends before it serves', async () => {
    const threads = new FakeThreads()
    threads.failing = 'no engine here'
    await expect(start(engine(), threads)).rejects.toMatchObject({
      code: 'WEFT_WORKER_FAILED',
      message: 'a worker ended before it was ready: no engine here',
    })
  })

  it('are replaced when their tasks panic more than ten times in a minute, and not for less', async () => {
    const { addon, threads, workers, logger } = await start()
    addon.panicked = [10, 0]
    await vi.advanceTimersByTimeAsync(65_000)
    addon.panicked = [20, 0]
    await vi.advanceTimersByTimeAsync(beatMs)
    expect(threads.started).toHaveLength(2)
    addon.panicked = [21, 0]
    await vi.advanceTimersByTimeAsync(beatMs)
    addon.panicked = [0, 0]
    expect(threads.started[2]).toMatchObject({ worker: 0 })
    expect(JSON.stringify(logger)).toContain('too many of its tasks panicked')
    await workers.close()
  })

  it('are replaced at once when they end, after their engine state was given back', async () => {
    const { addon, threads, workers, logger } = await start()
    threads.started[0]?.end('heap out of memory')
    await vi.advanceTimersByTimeAsync(0)
    expect(addon.calls).toEqual(['detach 0'])
    expect(threads.started.at(2)?.worker).toBe(0)
    expect([workers.serving(), workers.replaced()]).toEqual([2, 1])
    expect(logger.lines[0]?.fields).toMatchObject({ worker: 0, reason: 'heap out of memory', delayMs: 0 })
    await workers.close()
  })

  it('are ended and replaced when their loop stands still for a second', async () => {
    const { addon, threads, workers, logger } = await start()
    await vi.advanceTimersByTimeAsync(beatMs * 8)
    expect(workers.replaced()).toBe(0)
    addon.stalled.add(1)
    await vi.advanceTimersByTimeAsync(beatMs * 3)
    expect(workers.replaced()).toBe(0)
    await vi.advanceTimersByTimeAsync(beatMs)
    expect(threads.started.at(2)?.worker).toBe(1)
    expect(logger.lines[0]?.fields.reason).toBe('its loop stood still for a second')
    await workers.close()
  })

  it('are replaced more and more slowly while the replacements keep ending', async () => {
    const { threads, workers } = await start(engine(), new FakeThreads(), 1)
    threads.failing = 'again'
    threads.started[0]?.end('first')
    await vi.advanceTimersByTimeAsync(0)
    expect(threads.started.length).toBe(2)
    await vi.advanceTimersByTimeAsync(99)
    expect(threads.started.length).toBe(2)
    await vi.advanceTimersByTimeAsync(1)
    expect(threads.started.length).toBe(3)
    await vi.advanceTimersByTimeAsync(200)
    expect(threads.started.length).toBe(4)
    threads.failing = null
    await vi.advanceTimersByTimeAsync(400)
    expect(workers.serving()).toBe(1)
    await workers.close()
    expect([0, 1, 2, 7, 50].map(replacementDelayMs)).toEqual([0, 100, 200, 5_000, 5_000])
  })

  it('are not replaced once the proxy closes', async () => {
    const { addon, threads, workers } = await start()
    await workers.close()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(threads.started.length).toBe(2)
    expect(addon.calls.sort()).toEqual(['detach 0', 'detach 1'])
  })
})
