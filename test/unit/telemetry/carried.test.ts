import { expect, it } from 'vitest'
import type { Series, Stats } from '../../../src/native/index.js'
import { countsOf, withCarried } from '../../../src/telemetry/carried.js'
import { clusterOf, seriesOf, statsOf } from '../../kit/stats.js'

function series(route: string, requests: number): Series {
  const counts = { requests, requestBytes: requests, responseBytes: 2 * requests, durationSumUs: 3 * requests }
  return seriesOf({ route, ...counts, buckets: [requests, 0], requestSizes: [requests], responseSizes: [0, requests] })
}

function stats(total: number, active: number, list: Series[], requests: number): Stats {
  return statsOf({
    counters: { total, active },
    descriptions: [
      { name: 'total', kind: 'counter', help: '' },
      { name: 'active', kind: 'gauge', help: '' },
    ],
    series: list,
    routes: [{ route: 'a', latency: [[requests, total]] }],
    clusters: [
      clusterOf('app', [{ address: 'a:1', active, requests, failures: 1, idle: 2, latency: [[5, 1]] }], { retries: 2 }),
    ],
  })
}

it('what only grows is added up, what says how many there are now is not', () => {
  const before = countsOf(stats(10, 4, [series('a', 5), series('gone', 7)], 12))
  const now = stats(1, 2, [series('a', 1), series('new', 2)], 3)
  const { counters, series: all, clusters, routes } = withCarried(now, before)
  expect(counters).toEqual({ total: 11, active: 2 })
  expect(all).toEqual([series('a', 6), series('new', 2), series('gone', 7)])
  const endpoint = { address: 'a:1', active: 2, requests: 15, failures: 2, idle: 2, latency: [[5, 2]] }
  expect(clusters).toEqual([clusterOf('app', [endpoint as never], { retries: 4 })])
  expect(routes).toEqual([
    {
      route: 'a',
      latency: [
        [3, 1],
        [12, 10],
      ],
    },
  ])
})

it('an endpoint that the old process did not have keeps its own counts', () => {
  const before = { counters: { unknown: 3 }, series: [], routes: [], clusters: [], filters: [] }
  const now = stats(1, 2, [], 3)
  expect(withCarried(now, before)).toEqual(now)
})
