import { describe, expect, it } from 'vitest'
import { statsByName } from '../../../src/proxy/stats-by-name.js'
import { clusterOf, seriesOf, statsOf } from '../../kit/stats.js'

const nothing = { routes: [], clusters: [], endpoints: [] }

describe('the counts that a program sees', () => {
  it('stand under the names of the configuration, summed over everything else', () => {
    const series = [
      seriesOf({ status: 200, requests: 3, requestBytes: 10, responseBytes: 20 }),
      seriesOf({ route: 'other', status: 200, requests: 1 }),
      seriesOf({ status: 503, flag: 'UF', requests: 2 }),
      seriesOf({ cluster: 'else', requests: 9 }),
    ]
    const stats = statsByName(statsOf({ series, clusters: [clusterOf('app', []), clusterOf('idle', [])] }), nothing)
    expect(stats.clusters.app).toMatchObject({
      requests: 6,
      statuses: { 200: 4, 503: 2 },
      requestBytes: 10,
      responseBytes: 20,
    })
    expect(stats.clusters.idle?.requests).toBe(0)
  })

  it('have the durations of a cluster over all of its endpoints, with the whole distribution beside them', () => {
    const cluster = clusterOf('app', [
      { address: 'a:1', latency: [[100, 98]] },
      {
        address: 'b:1',
        latency: [
          [100, 1],
          [900, 1],
        ],
      },
    ])
    const histograms = { ...nothing, clusters: [{ cluster: 'app', hdr: 'H' }] }
    const { app } = statsByName(statsOf({ clusters: [cluster] }), histograms).clusters
    expect(app?.latency).toEqual({ count: 100, p50Us: 100, p90Us: 100, p99Us: 100, maxUs: 900, hdr: 'H' })
    expect(app?.endpoints['b:1']?.latency).toMatchObject({ count: 2, maxUs: 900, hdr: null })
  })

  it('have no durations before anything was measured', () => {
    const { app } = statsByName(statsOf({ clusters: [clusterOf('app', [])] }), nothing).clusters
    expect(app?.latency).toEqual({ count: 0, p50Us: null, p90Us: null, p99Us: null, maxUs: null, hdr: null })
  })
})
