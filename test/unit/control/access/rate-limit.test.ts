import { describe, expect, it } from 'vitest'
import { RateLimit } from '../../../../src/control/access/rate-limit.js'

describe('the rate of a caller', () => {
  it('is the burst at once and then so many per second', () => {
    let nowMs = 1_000
    const limit = new RateLimit({ perSecond: 10, burst: 5, nowMs: () => nowMs })
    expect(Array.from({ length: 5 }, () => limit.take('a'))).toEqual([0, 0, 0, 0, 0])
    expect(limit.take('a')).toBe(100)
    expect(limit.take('b')).toBe(0)
    nowMs += 100
    expect([limit.take('a'), limit.take('a')]).toEqual([0, 100])
    nowMs += 60_000
    expect(Array.from({ length: 6 }, () => limit.take('a')).filter((waitMs) => waitMs > 0)).toHaveLength(1)
  })

  it('forgets callers, so that many of them do not fill the memory', () => {
    const limit = new RateLimit({ perSecond: 1, burst: 1, nowMs: () => 0 })
    for (let n = 0; n < 20_000; n += 1) limit.take(`caller ${n}`)
    const { size } = (limit as unknown as { fullAtMs: Map<string, number> }).fullAtMs
    expect(size).toBeLessThanOrEqual(10_000)
  })
})
