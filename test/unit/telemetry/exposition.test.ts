import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type ExposedStats, renderPrometheus } from '../../../src/telemetry/exposition.js'
import { clusterOf, seriesOf } from '../../kit/stats.js'

const read = (name: string) => readFileSync(new URL(`./exposition/${name}`, import.meta.url), 'utf8')

/** The report is the engine's own output: its crate is tested against the same file. */
const stats = (): ExposedStats => ({
  ...JSON.parse(read('report.json')),
  generation: 7,
  listeners: [],
  filters: [],
  faults: [],
  mirrors: [],
  switches: [],
  workers: [{ connections: 2 }],
  clusters: [
    clusterOf('app', [{ address: '127.0.0.1:9000', active: 1, requests: 6, failures: 1, serverErrors: 2, idle: 3 }], {
      weft_cluster_retries_total: 4,
    }),
  ],
})

const series = (change: Parameters<typeof seriesOf>[0]) =>
  seriesOf({
    requests: 3,
    requestBytes: 1,
    responseBytes: 2,
    durationSumUs: 1500,
    buckets: [1, 2],
    requestSizes: [3],
    responseSizes: [0, 3],
    ...change,
  })

const lines = (change: Partial<ExposedStats>, name: string): string[] =>
  renderPrometheus({ ...stats(), durationBoundsMs: [0.5], ...change })
    .split('\n')
    .filter((line) => line.startsWith(name))

describe('the exposition for Prometheus', () => {
  it('tells by name how often filters failed and answered', () => {
    const filters = [{ name: 'tenant', failures: 2, answers: 5 }]
    expect(lines({ filters }, 'weft_filter_')).toEqual([
      'weft_filter_failures_total{filter="tenant"} 2',
      'weft_filter_answers_total{filter="tenant"} 5',
    ])
  })

  it('renders the report of the engine as the golden page', () => {
    expect(renderPrometheus(stats(), { service: 'productpage' })).toBe(read('metrics.prom'))
  })

  it('gives every family one help line, one type line and samples behind them', () => {
    const page = renderPrometheus(stats())
    const families = [...page.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name)
    expect(new Set(families).size).toBe(families.length)
    let current = ''
    for (const line of page.trimEnd().split('\n')) {
      if (line.startsWith('# HELP ')) continue
      if (line.startsWith('# TYPE ')) current = line.split(' ')[2] ?? ''
      else expect(line.startsWith(current)).toBe(true)
    }
  })

  it('adds up series whose labels are the same', () => {
    const same = [series({ route: '-' }), series({ route: '' }), series({ status: 500, requests: 1 })]
    expect(lines({ series: same }, 'istio_requests_total').map((line) => line.split(' ').at(-1))).toEqual(['6', '1'])
    expect(lines({ series: same }, 'istio_request_duration_milliseconds_bucket').slice(0, 2)).toEqual([
      expect.stringMatching(/route="unknown".*le="0.5"} 2$/),
      expect.stringMatching(/route="unknown".*le="\+Inf"} 6$/),
    ])
  })

  it.for([
    ['name', 'inbound', []],
    ['direction', 'door', [{ name: 'door', direction: 'inbound' }]],
  ] as const)('tells calls of its service from calls to it by the %s of the listener', ([, listener, listeners]) => {
    const both = [series({}), series({ listener, cluster: 'self' })]
    const page = renderPrometheus({ ...stats(), listeners, series: both }, { service: 'reviews' })
    const [source, destination] = page.split('\n').filter((line) => line.startsWith('istio_requests_total'))
    expect(source).toContain('reporter="source",source_workload="reviews",destination_workload="unknown"')
    expect(source).toContain('destination_service="app"')
    expect(destination).toContain('reporter="destination",source_workload="unknown",destination_workload="reviews"')
    expect(destination).toContain('destination_service="reviews"')
  })

  it('lists every name in the README of the folder', () => {
    const readme = readFileSync(new URL('../../../src/telemetry/README.md', import.meta.url), 'utf8')
    const { descriptions, clusterDescriptions } = stats()
    const counters = [...descriptions, ...clusterDescriptions].map(({ name }) => name)
    const page = renderPrometheus(stats())
    const shown = [...page.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name ?? '')
    expect([...new Set([...counters, ...shown])].filter((name) => !readme.includes(`\`${name}\``))).toEqual([])
  })

  it('escapes what a label may not hold', () => {
    const [line] = lines({ series: [series({ route: 'a"b\\c\nd' })] }, 'istio_requests_total')
    expect(line).toContain('route="a\\"b\\\\c\\nd"')
  })

  it('leaves out families without samples', () => {
    const page = renderPrometheus({ ...stats(), series: [], clusters: [], workers: [], counters: {} })
    expect(page).toBe(
      '# HELP weft_snapshot_generation Generation of the snapshot in force.\n# TYPE weft_snapshot_generation gauge\nweft_snapshot_generation 7\n',
    )
  })
})
