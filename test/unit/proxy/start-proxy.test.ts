import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { WeftError } from '../../../src/errors.js'
import type { ConfigSource } from '../../../src/proxy/config-source.js'
import type { Prepared } from '../../../src/proxy/prepare.js'
import { type StartOptions, startProxy } from '../../../src/proxy/start-proxy.js'
import { FakeEngine, FakeThreads, MemoryLogger, preparedAs } from '../../kit/fake-engine.js'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const file = { file: 'weft.yaml' }

async function start(first: Prepared = preparedAs('one'), source: ConfigSource = file, more: StartOptions = {}) {
  const addon = new FakeEngine()
  const threads = new FakeThreads()
  const logger = new MemoryLogger()
  const prepared: (Prepared | Error)[] = [first]
  const prepare = async () => {
    const next = prepared.shift()
    if (next === undefined || next instanceof Error) throw next
    return next
  }
  const proxy = await startProxy(source, { addon, startThread: threads.start, logger, prepare, ...more })
  return { proxy, addon, threads, logger, prepared }
}

describe('a proxy', () => {
  it('applies the configuration before any thread carries traffic', async () => {
    const { proxy, addon, threads } = await start(preparedAs('one', { workers: 2 }))
    expect(addon.calls).toEqual(['createProxy 2', 'apply one'])
    expect(threads.started.map(({ worker }) => worker)).toEqual([0, 1])
    expect(proxy.status()).toEqual({ state: 'ready', generation: 1, workers: 2, replaced: 0 })
    await proxy.close()
    expect(addon.calls.at(-1)).toBe('closeProxy')
  })

  it('serves on the loop of its caller when no thread is asked for', async () => {
    const { proxy, addon, threads } = await start(preparedAs('one'), { listeners: [] }, { defaultWorkers: 0 })
    expect(addon.calls).toEqual(['createProxy 1', 'apply one', 'attach 0'])
    expect(threads.started).toEqual([])
    await proxy.close()
  })

  it('serves on as many threads as the configuration says, where the caller does not', async () => {
    const { proxy, threads } = await start(preparedAs('one', { workers: 2 }), { listeners: [] }, { defaultWorkers: 0 })
    expect(threads.started.map(({ worker }) => worker)).toEqual([0, 1])
    await proxy.close()
  })

  it('serves on the loop of its caller although the configuration says how many threads', async () => {
    const { proxy, addon, threads } = await start(preparedAs('one', { workers: 2 }), file, { workers: 0 })
    expect(addon.calls.at(-1)).toBe('attach 0')
    expect(threads.started).toEqual([])
    await proxy.close()
  })

  it('leaves nothing behind when the engine refuses the first configuration', async () => {
    const addon = new FakeEngine()
    const threads = new FakeThreads()
    addon.rejected = [{ path: 'listeners.0.address', code: 'WEFT_LISTENER_IN_USE', message: 'port taken' }]
    const prepare = async () => preparedAs('one')
    const starting = startProxy(file, { addon, startThread: threads.start, logger: new MemoryLogger(), prepare })
    await expect(starting).rejects.toMatchObject({
      code: 'WEFT_SNAPSHOT_REJECTED',
      issues: [{ path: 'listeners[0].address', message: 'port taken' }],
    })
    expect(addon.calls.at(-1)).toBe('closeProxy')
    await expect(threads.started[0]?.ended).resolves.toBe('terminated')
  })

  it('keeps its plan when a change is refused, by validation or by the engine', async () => {
    const { proxy, addon, prepared } = await start()
    const before = proxy.plan()
    prepared.push(new WeftError('WEFT_CONFIG_INVALID', 'weft.yaml has 1 issue'))
    await expect(proxy.apply(file)).rejects.toMatchObject({ code: 'WEFT_CONFIG_INVALID' })
    addon.rejected = [{ path: 'x', code: 'Y', message: 'z' }]
    prepared.push(preparedAs('three', { drainDeadlineMs: 5 }))
    await expect(proxy.apply(file)).rejects.toMatchObject({ code: 'WEFT_SNAPSHOT_REJECTED' })
    expect(proxy.plan()).toBe(before)
    addon.rejected = []
    prepared.push(preparedAs('four', { drainDeadlineMs: 5 }))
    await expect(proxy.apply(file)).resolves.toMatchObject({ generation: 2, rejected: [] })
    expect(proxy.plan().drainDeadlineMs).toBe(5)
    await proxy.close()
  })

  it('applies changes one after the other', async () => {
    const { proxy, addon, prepared } = await start()
    prepared.push(preparedAs('two'), preparedAs('three'))
    await Promise.all([proxy.apply(file), proxy.apply(file)])
    expect(addon.calls.filter((call) => call.startsWith('apply'))).toEqual(['apply one', 'apply two', 'apply three'])
    await proxy.close()
  })

  it('drains until the last exchange has ended', async () => {
    const { proxy, addon } = await start()
    addon.open = 2
    const drained = proxy.drain()
    await vi.advanceTimersByTimeAsync(100)
    expect(proxy.status().state).toBe('draining')
    addon.open = 0
    await vi.advanceTimersByTimeAsync(20)
    await expect(drained).resolves.toBe(0)
    await proxy.close()
  })

  it('drains no longer than the deadline and tells what was left', async () => {
    const { proxy, addon } = await start()
    addon.open = 3
    const drained = proxy.drain({ deadlineMs: 200 })
    await vi.advanceTimersByTimeAsync(250)
    await expect(drained).resolves.toBe(3)
    await proxy.close()
  })

  it('tells where a listener listens', async () => {
    const { proxy } = await start()
    expect(proxy.address('edge')).toEqual({ host: '127.0.0.1', port: 8080 })
    expect(() => proxy.address('edgy')).toThrow('there is no listener named "edgy"')
    await proxy.close()
  })

  it('says the warnings of a configuration once it is in force', async () => {
    const { proxy, logger } = await start(preparedAs('one', { warnings: ['too few descriptors'] }))
    expect(logger.lines.map(({ message }) => message)).toEqual(['too few descriptors'])
    await proxy.close()
  })

  it('writes the logs out before it is gone, and says when it cannot', async () => {
    const { proxy, addon, logger } = await start()
    addon.logsWritten = false
    await proxy.close()
    expect(addon.calls.slice(-3)).toEqual(['detach 0', 'flushLogs', 'closeProxy'])
    expect(logger.lines.at(-1)?.message).toBe('some lines of the access log could not be written')
  })
})
