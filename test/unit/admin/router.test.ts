import { describe, expect, it, vi } from 'vitest'
import type { AdminContext, ProxyStatus } from '../../../src/admin/endpoint.js'
import { readQuery } from '../../../src/admin/endpoints/records.js'
import { answerAdmin, endpoints } from '../../../src/admin/router.js'
import type { Stats } from '../../../src/native/index.js'
import { clusterOf, seriesOf, statsOf } from '../../kit/stats.js'

const stats: Stats = statsOf({
  generation: 3,
  counters: { downstream_connections_total: 12 },
  series: [seriesOf({ flag: '', requests: 1000, responseBytes: 1_024_000, durationSumUs: 1_500_000 })],
  workers: [{ heartbeat: 5, generation: 3, panics: 0, connections: 4, records: 7, recordBytes: 1024 }],
  listeners: [{ name: 'edge', address: '127.0.0.1:8080', direction: 'gateway', door: false }],
  clusters: [clusterOf('app', [{ address: '127.0.0.1:9000', active: 1, requests: 1000, failures: 2, idle: 3 }])],
})

function context(state: ProxyStatus['state'] = 'ready') {
  let now = state
  const proxy: AdminContext['proxy'] = {
    plan: () => ({
      dump: '{"workers":1}',
      node: { id: 'n-1', service: 'shop', version: 'v1', region: '', zone: '' },
      listeners: [{ name: 'edge', protocol: 'http' }],
    }),
    stats: () => stats,
    status: () => ({ state: now, generation: 3, workers: 1, replaced: 0 }),
    records: vi.fn<AdminContext['proxy']['records']>(() => ({ records: [], more: false })),
    why: () => null,
    explain: () => [],
    switchRoute: () => ({ generation: 4, error: null }),
    switches: () => [],
    histograms: () => ({ routes: [{ route: 'all', hdr: 'H' }], clusters: [], endpoints: [] }),
    failHealthcheck: (failing) => {
      now = failing ? 'failing' : 'ready'
    },
  }
  return {
    proxy,
    process: { version: '1.2.3', file: 'weft.yaml', startedAt: Date.now() - 5_000 },
    logger: { level: 'info' },
    drain: vi.fn<() => void>(),
  } satisfies AdminContext
}

function ask(path: string, { method = 'GET', query = '', in: where = context() } = {}) {
  return answerAdmin(where, { method, path, query: new URLSearchParams(query) })
}

describe('the admin server', () => {
  it('is ready until a drain begins', () => {
    expect(ask('/ready')).toMatchObject({ status: 200, body: 'ready\n' })
    expect(ask('/ready', { in: context('draining') })).toMatchObject({ status: 503, body: 'draining\n' })
    expect(ask('/live', { in: context('draining') }).status).toBe(200)
  })

  it('shows statistics in columns and as JSON', () => {
    const { body } = ask('/stats')
    expect(body).toContain('downstream_connections_total     12')
    expect(body).toContain('edge      all    app         200  -         1000      1.5         0    1024000')
    expect(JSON.parse(ask('/stats', { query: 'format=json' }).body)).toEqual(stats)
  })

  it('shows endpoints, and the configuration in force', () => {
    expect(ask('/clusters').body).toBe(
      'cluster  endpoint        priority  zone  health     active  requests  failures  idle\n' +
        'app      127.0.0.1:9000         0  -     unchecked       1      1000         2     3\n',
    )
    expect(JSON.parse(ask('/config_dump').body)).toEqual({ generation: 3, config: { workers: 1 } })
  })

  it('says which process it is, and where it listens', () => {
    expect(JSON.parse(ask('/server_info').body)).toMatchObject({
      name: 'weft',
      version: '1.2.3',
      node: { service: 'shop' },
      state: 'ready',
      uptimeSeconds: 5,
      file: 'weft.yaml',
    })
    expect(ask('/listeners').body).toBe(
      'listener  address         direction  protocol  engine\nedge      127.0.0.1:8080  gateway    http      native\n',
    )
  })

  it('is not ready while its health check is failed by hand', () => {
    const where = context()
    expect(ask('/healthcheck/fail', { method: 'POST', in: where })).toMatchObject({ status: 200, body: 'failing\n' })
    expect(ask('/ready', { in: where })).toMatchObject({ status: 503, body: 'failing\n' })
    expect(ask('/healthcheck/ok', { method: 'POST', in: where }).status).toBe(200)
    expect(ask('/ready', { in: where }).status).toBe(200)
  })

  it('makes the log quieter, and refuses a level that there is not', () => {
    const where = context()
    const change = (query: string) => ask('/logging', { method: 'POST', query, in: where })
    expect(change('level=warn')).toMatchObject({ status: 200, body: 'warn\n' })
    expect(change('level=loud')).toMatchObject({ status: 400 })
    expect(change('')).toMatchObject({ status: 200, body: 'warn\n' })
    expect(where.logger.level).toBe('warn')
  })

  it('asks for records as the query says', () => {
    const where = context()
    ask('/records', { query: 'route=all&status=5xx&flag=UH&limit=7&since=2026-01-01T00:00:00Z', in: where })
    expect(where.proxy.records).toHaveBeenCalledWith({
      route: 'all',
      statusMin: 500,
      statusMax: 599,
      flag: 'UH',
      limit: 7,
      sinceUnixUs: Date.UTC(2026, 0, 1) * 1_000,
    })
    expect(readQuery(new URLSearchParams('since=1.5m&status=404'), 100_000)).toEqual({
      sinceUnixUs: 10_000_000,
      statusMin: 404,
      statusMax: 404,
    })
    for (const wrong of ['status=6xx', 'status=x', 'limit=0', 'limit=1001', 'since=yesterday', 'rout=all']) {
      expect(ask('/records', { query: wrong }), wrong).toMatchObject({ status: 400 })
    }
  })

  it('says so when there is no record of an id', () => {
    expect(ask('/why/a%20b')).toMatchObject({ status: 404, body: expect.stringContaining('no record of "a b"') })
    expect(ask('/why/%ff')).toMatchObject({ status: 404, body: expect.stringContaining('"%ff"') })
    expect(ask('/why/').status).toBe(404)
    expect(ask('/why/a/b').status).toBe(404)
  })

  it('shows durations as HDR histograms', () => {
    expect(JSON.parse(ask('/stats', { query: 'format=hdr' }).body).routes).toEqual([{ route: 'all', hdr: 'H' }])
  })

  it('speaks the exposition format of Prometheus', () => {
    const { headers, body } = ask('/stats/prometheus')
    expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(body.endsWith('\n')).toBe(true)
  })

  it('begins a drain on POST only', () => {
    const where = context()
    expect(ask('/drain', { in: where })).toMatchObject({ status: 405, headers: { allow: 'POST' } })
    expect(where.drain).not.toHaveBeenCalled()
    expect(ask('/drain', { method: 'POST', in: where }).status).toBe(202)
    expect(where.drain).toHaveBeenCalledOnce()
  })

  it('lists its endpoints where there is none', () => {
    const { status, body } = ask('/nothing')
    expect(status).toBe(404)
    for (const { path } of endpoints) expect(body).toContain(path)
    expect(ask('/').status).toBe(200)
  })

  it('answers HEAD like GET', () => {
    expect(ask('/ready', { method: 'HEAD' }).status).toBe(200)
    expect(ask('/ready', { method: 'PUT' }).status).toBe(405)
  })

  it('turns a failing endpoint into 500', () => {
    const broken = context()
    broken.proxy.stats = () => {
      throw new Error('the engine is gone')
    }
    expect(ask('/stats', { in: broken })).toMatchObject({ status: 500, body: 'the engine is gone\n' })
  })
})
