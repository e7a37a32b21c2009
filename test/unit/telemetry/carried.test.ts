import { expect, it } from 'vitest'
import type { Series, Stats } from '../../../src/native/index.js'
import { countsOf, withCarried } from '../../../src/telemetry/carried.js'

function series(route: string, requests: number): Series {
  const counts = { requests, requestBytes: requests, responseBytes: 2 * requests, durationSumUs: 3 * requests }
  return { listener: 'edge', route, cluster: 'app', status: 200, flag: '-', ...counts, buckets: [requests, 0] }
}

function stats(total: number, active: number, list: Series[], requests: number): Stats {
  return {
    generation: 1,
    counters: { total, active },
    descriptions: [
      { name: 'total', kind: 'counter', help: '' },
      { name: 'active', kind: 'gauge', help: '' },
    ],
    durationBoundsMs: [1],
    series: list,
    workers: [],
    clusters: [{ name: 'app', endpoints: [{ address: 'a:1', active, requests, failures: 1, idle: 2 }] }],
  }
}

it('what only grows is added up, what says how many there are now is not', () => {
  const before = countsOf(stats(10, 4, [series('a', 5), series('gone', 7)], 12))
  const { counters, series: all, clusters } = withCarried(stats(1, 2, [series('a', 1), series('new', 2)], 3), before)
  expect(counters).toEqual({ total: 11, active: 2 })
  expect(all).toEqual([series('a', 6), series('new', 2), series('gone', 7)])
  expect(clusters[0]?.endpoints).toEqual([{ address: 'a:1', active: 2, requests: 15, failures: 2, idle: 2 }])
})

it('an endpoint that the old process did not have keeps its own counts', () => {
  const before = { counters: { unknown: 3 }, series: [], clusters: [] }
  const now = stats(1, 2, [], 3)
  expect(withCarried(now, before)).toEqual(now)
})
