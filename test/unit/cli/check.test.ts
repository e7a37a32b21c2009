import { describe, expect, it } from 'vitest'
import { compare } from '../../../src/cli/commands/check.js'

const answer = { version: '1.2.3', at: '2026-06-01T12:00:00.000Z', items: [] }
const atMs = Date.parse(answer.at)
const found = (own: string, askedMs: number, answeredMs: number) =>
  compare(answer, own, askedMs, answeredMs)
    .filter(({ level }) => level !== 'ok')
    .map(({ id, level, message, hint }) => `${id} ${level}: ${message}; ${hint}`)

describe('what only the asker of weft check can see', () => {
  it('is well when versions are equal and the clocks are close, however long the answer took', () => {
    expect(found('1.2.3', atMs - 40_000, atMs + 5)).toEqual([])
    expect(found('1.2.3', atMs - 19_000 - 5, atMs - 19_000)).toEqual([])
  })

  it('is another version, and clocks that are apart either way', () => {
    expect(found('1.2.4', atMs, atMs)).toEqual([
      'versions-agree warning: this is weft 1.2.4, the control plane is 1.2.3; install the same version',
    ])
    for (const aheadMs of [60_000, -60_000]) {
      expect(found('1.2.3', atMs + aheadMs, atMs + aheadMs)).toEqual([
        expect.stringMatching(/^clocks-agree error: they are 60 s apart: tokens and certificates end .*; look at NTP/),
      ])
    }
  })
})
