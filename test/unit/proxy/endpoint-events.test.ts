import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { EndpointEvent } from '../../../src/native/index.js'
import { EndpointLog } from '../../../src/proxy/endpoint-events.js'
import { createLogger } from '../../../src/telemetry/logger.js'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

function logOf() {
  const lines: string[] = []
  const waiting: string[] = []
  const logger = createLogger({
    format: 'text',
    colour: false,
    write: (line) => lines.push(line),
    now: () => new Date(0),
  })
  const log = new EndpointLog(() => waiting.shift() ?? '', logger)
  const happens = (lost: number, ...events: Partial<EndpointEvent>[]) => {
    const empty = { turn: 'ejected', unixUs: 0, cluster: 'app', endpoint: '10.0.0.1:80', reason: 'why', forMs: null }
    waiting.push(JSON.stringify({ events: events.map((event) => ({ ...empty, ...event })), lost }))
  }
  return { log, lines, happens }
}

it('each event is a line with who, for how long and why; those that were lost are counted', () => {
  const { log, lines, happens } = logOf()
  log.follow(true)
  happens(2, { forMs: 30_000 }, { turn: 'returned', forMs: 250, reason: 'its time is over' }, { turn: 'healthy' })
  vi.advanceTimersByTime(250)
  expect(lines).toEqual([
    'warn: events of endpoints were lost count=2\n',
    'warn: endpoint ejected cluster=app endpoint=10.0.0.1:80 for=30s reason=why\n',
    'endpoint gets requests again cluster=app endpoint=10.0.0.1:80 after=250ms reason="its time is over"\n',
    'endpoint healthy cluster=app endpoint=10.0.0.1:80 reason=why\n',
  ])
})

it('nobody asks while nothing can happen, and what happened last is told at the end', () => {
  const { log, lines, happens } = logOf()
  log.follow(false)
  happens(0, {})
  vi.advanceTimersByTime(10_000)
  expect(lines).toEqual([])
  log.follow(true)
  log.close()
  expect(lines).toHaveLength(1)
  expect(vi.getTimerCount()).toBe(0)
})
