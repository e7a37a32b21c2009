import { describe, expect, it, vi } from 'vitest'
import type { AdminContext } from '../../../src/admin/endpoint.js'
import { answerAdmin, endpoints } from '../../../src/admin/router.js'
import type { Stats } from '../../../src/native/index.js'

const stats: Stats = {
  generation: 3,
  counters: { downstream_connections_total: 12 },
  descriptions: [],
  durationBoundsMs: [],
  series: [
    {
      listener: 'edge',
      route: 'all',
      cluster: 'app',
      status: 200,
      flag: '',
      requests: 1000,
      requestBytes: 0,
      responseBytes: 1_024_000,
      durationSumUs: 1_500_000,
      buckets: [],
    },
  ],
  workers: [{ heartbeat: 5, panics: 0, connections: 4 }],
  clusters: [
    {
      name: 'app',
      panics: 0,
      endpoints: [
        { address: '127.0.0.1:9000', weight: 1, healthy: true, active: 1, requests: 1000, failures: 2, idle: 3 },
      ],
    },
  ],
}

function context(state: 'ready' | 'draining' = 'ready') {
  const status: AdminContext['proxy']['status'] = () => ({ state, generation: 3, workers: 1, replaced: 0 })
  return {
    proxy: { plan: () => ({ dump: '{"workers":1}' }), stats: () => stats, status },
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
      'cluster  endpoint        active  requests  failures  idle\n' +
        'app      127.0.0.1:9000       1      1000         2     3\n',
    )
    expect(JSON.parse(ask('/config_dump').body)).toEqual({ generation: 3, config: { workers: 1 } })
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
