import { describe, expect, it } from 'vitest'
import type { Row, Sample } from '../../../../src/cli/top/sample.js'
import { plainText, screen } from '../../../../src/cli/top/screen.js'

const row = (name: string, perSecond: number, change: Partial<Row> = {}): Row => ({
  name,
  cluster: '',
  requests: perSecond,
  perSecond,
  successPercent: 100,
  p50Ms: 1.234,
  p99Ms: 123.4,
  active: 2,
  ...change,
})

const sample = (routes: number, endpoints: number): Sample => ({
  time: '2026-01-01T00:00:00.000Z',
  seconds: 1,
  generation: 1,
  connections: 3,
  total: row('all', 100),
  routes: Array.from({ length: routes }, (_, n) => row(`route-${n}`, 100 - n)),
  endpoints: Array.from({ length: endpoints }, (_, n) => row(`127.0.0.1:${9000 + n}`, 50, { cluster: 'reviews' })),
})

const draw = (drawn: Sample, columns: number, rows: number, colour = false, notice = '') =>
  screen(drawn, { admin: '127.0.0.1:15000', size: { columns, rows }, colour, notice })

describe('the screen of top', () => {
  it.each([
    [120, 30],
    [80, 24],
    [60, 12],
    [30, 8],
    [10, 3],
    [1, 1],
  ])('fits a terminal of %i columns and %i rows', (columns, rows) => {
    for (const size of [0, 1, 5, 100]) {
      const lines = draw(sample(size, size), columns, rows)
      expect(lines.length).toBe(rows)
      for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(columns)
    }
  })

  it('gives the room that endpoints leave to routes, and the other way round', () => {
    const shown = (lines: string[], what: string) => lines.filter((line) => line.startsWith(what)).length
    const manyRoutes = draw(sample(100, 2), 100, 26)
    expect([shown(manyRoutes, 'route-'), shown(manyRoutes, 'reviews ')]).toEqual([18, 2])
    const manyEndpoints = draw(sample(2, 100), 100, 26)
    expect([shown(manyEndpoints, 'route-'), shown(manyEndpoints, 'reviews ')]).toEqual([2, 18])
  })

  it('aligns numbers and keeps the port of an endpoint whose name is too long', () => {
    const lines = draw(sample(1, 1), 66, 12)
    expect(lines[3]).toBe('route-0                 100   100.0 %      1.23       123        ')
    const narrow = draw({ ...sample(0, 1), endpoints: [row('127.0.0.1:9000', 1, { cluster: 'a-long-name' })] }, 66, 12)
    expect(narrow.find((line) => line.includes(':9000'))).toMatch(/^…e 127\.0\.0\.1:9000 /)
  })

  it('cuts no name without a terminal', () => {
    const name = 'r'.repeat(200)
    expect(plainText({ ...sample(0, 0), routes: [row(name, 1)] }, 'a')).toContain(name)
  })

  it('does not round away what failed', () => {
    const failing = { ...sample(0, 0), routes: [row('almost', 1, { successPercent: 99.999 })] }
    expect(draw(failing, 100, 12).join('\n')).toContain('99.9 %')
  })

  it('marks failures in colour and says a notice', () => {
    const failing = { ...sample(0, 0), routes: [row('bad', 1, { successPercent: 50 })] }
    const lines = draw(failing, 100, 12, true, 'no answer')
    expect(lines.join('\n')).toContain('\u001b[31m    50.0 %\u001b[0m')
    expect(lines.at(-1)).toBe('\u001b[33mno answer\u001b[0m')
  })

  it('has every row as plain text', () => {
    const text = plainText(sample(40, 40), '127.0.0.1:15000')
    expect(text.match(/^route-/gm)?.length).toBe(40)
    expect(text.match(/^reviews /gm)?.length).toBe(40)
    expect(text).not.toContain('\u001b')
  })
})
