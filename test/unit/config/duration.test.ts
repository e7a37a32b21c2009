import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { duration, formatDuration, parseDuration } from '../../../src/config/forms/duration.js'
import { parseSize } from '../../../src/config/forms/size.js'

describe('a duration', () => {
  it.each([
    ['1h', 3_600_000],
    ['1h2m3s4ms', 3_723_004],
    ['250ms', 250],
    ['0s', 0],
    ['90s', 90_000],
  ])('%s is %i ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  it.each(['', '1', '1 s', '1.5s', '-1s', '1s1h', '1d', '123456s', 's', '1S'])('%j is none', (text) => {
    expect(parseDuration(text)).toBeNull()
  })

  it('survives being written and read', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms)
      }),
    )
  })

  it('may be the number 0 and no other number', () => {
    expect(duration().parse(0)).toBe(0)
    expect(duration().safeParse(15).error?.issues[0]?.message).toBe(
      '15 is not a duration; write it with units, such as 1h2m3s4ms or 250ms',
    )
  })

  it('must fit the engine and its own minimum', () => {
    expect(duration().safeParse('1194h').error?.issues[0]?.message).toContain('must be at most')
    expect(duration({ minMs: 1 }).safeParse(0).error?.issues[0]?.message).toBe('must be at least 1ms')
  })
})

describe('a size', () => {
  it.each([
    ['64KiB', 65_536],
    ['1MB', 1_000_000],
    ['10 MiB', 10_485_760],
    ['5', 5],
    ['5B', 5],
  ])('%s is %i bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes)
  })

  it.each(['', 'KiB', '1.5MiB', '-1', '1 TB', '64kib'])('%j is none', (text) => {
    expect(parseSize(text)).toBeNull()
  })
})
