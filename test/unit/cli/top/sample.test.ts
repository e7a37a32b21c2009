import { describe, expect, it } from 'vitest'
import { compare, percentile } from '../../../../src/cli/top/sample.js'
import type { Durations, Stats } from '../../../../src/native/index.js'
import { clusterOf, seriesOf, statsOf } from '../../../kit/stats.js'

const reading = (atMs: number, requests: number, failures: number, latency: Durations) => {
  const stats: Stats = statsOf({
    generation: 4,
    series: [seriesOf({ requests: requests - failures }), seriesOf({ status: 503, flag: 'UF', requests: failures })],
    routes: [{ route: 'all', latency }],
    clusters: [clusterOf('app', [{ address: 'a:1', requests, failures: 1, serverErrors: failures - 1, latency }])],
  })
  return { stats, atMs }
}

describe('a sample', () => {
  it('is what happened between two readings', () => {
    const before = reading(1_000, 100, 10, [[500, 100]])
    const after = reading(3_000, 140, 20, [
      [500, 110],
      [2_000, 30],
    ])
    const { seconds, total, routes, endpoints, generation } = compare(before, after, new Date(0))
    expect([seconds, generation]).toEqual([2, 4])
    const counts = { requests: 40, perSecond: 20, successPercent: 75, p50Ms: 2, p99Ms: 2 }
    expect(routes).toEqual([{ name: 'all', cluster: '', active: 0, ...counts }])
    expect(total).toMatchObject(counts)
    expect(endpoints).toEqual([{ name: 'a:1', cluster: 'app', active: 0, ...counts }])
  })

  it('has no success and no latency where nothing was asked', () => {
    const same = reading(0, 5, 1, [[500, 5]])
    const { total } = compare(same, { ...same, atMs: 1_000 }, new Date(0))
    expect(total).toMatchObject({ perSecond: 0, successPercent: null, p50Ms: null, p99Ms: null })
  })

  it('counts from zero after the proxy began anew', () => {
    const before = reading(0, 1_000, 10, [[500, 1_000]])
    const { total } = compare(before, reading(1_000, 8, 2, [[700, 8]]), new Date(0))
    expect(total).toMatchObject({ requests: 8, successPercent: 75, p50Ms: 0.7 })
  })

  it('puts the busiest first', () => {
    const routes = ['quiet', 'busy', 'idle']
    const of = (counts: number[]) => ({
      stats: statsOf({ series: routes.map((route, at) => seriesOf({ route, requests: counts[at] ?? 0 })) }),
      atMs: counts.length,
    })
    const { routes: rows } = compare({ ...of([0, 0, 0]), atMs: 0 }, { ...of([1, 9, 0]), atMs: 1_000 }, new Date(0))
    expect(rows.map(({ name }) => name)).toEqual(['busy', 'quiet', 'idle'])
  })
})

it('a percentile is the duration that this share does not pass', () => {
  const counts = new Map([
    [3_000, 1],
    [1_000, 98],
    [2_000, 1],
  ])
  expect([0, 0.5, 0.98, 0.99, 1].map((share) => percentile(counts, share))).toEqual([1, 1, 1, 2, 3])
  expect(percentile(new Map(), 0.5)).toBe(null)
})
