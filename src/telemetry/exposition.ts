/**
 * Prometheus' text format 0.0.4 of the engine's statistics: `/stats/prometheus` and nothing else.
 *
 * Invariants: a pure function; every sample belongs to a family with one TYPE line; names, kinds and help texts of
 * counters are the engine's own lists.
 */
import type { Stats } from '../native/index.js'
import { clusterFamilies, endpointFamilies } from './families/clusters.js'
import { type Family, family, renderFamily, renderLabels } from './families/family.js'
import { requestFamilies } from './families/requests.js'

/** What the exposition reads of the engine's statistics. */
export type ExposedStats = Omit<Stats, 'workers' | 'name' | 'draining' | 'routes' | 'listeners'> & {
  listeners: readonly Pick<Stats['listeners'][number], 'name' | 'direction'>[]
  workers: readonly Pick<Stats['workers'][number], 'connections'>[]
}

export interface ExpositionOptions {
  /** The service that this node stands beside; empty when the configuration names none. */
  service?: string
}

export function renderPrometheus(stats: ExposedStats, { service = '' }: ExpositionOptions = {}): string {
  return allFamilies(stats, service)
    .filter(({ samples }) => samples.length > 0)
    .map(renderFamily)
    .join('')
}

function allFamilies(stats: ExposedStats, service: string): Family[] {
  return [
    ...requestFamilies(stats, service),
    ...stats.descriptions.map((description) => counterFamily(description, stats.counters)),
    ...clusterFamilies(stats),
    ...endpointFamilies(stats.clusters),
    ...filterFamilies(stats.filters),
    workerFamily(stats.workers),
    family('weft_snapshot_generation', 'gauge', 'Generation of the snapshot in force.', [
      { labels: '', value: stats.generation },
    ]),
  ]
}

function counterFamily({ name, kind, help }: Stats['descriptions'][number], counters: Record<string, number>): Family {
  const value = counters[name]
  return family(name, kind, help, value === undefined ? [] : [{ labels: '', value }])
}

function filterFamilies(filters: ExposedStats['filters']): Family[] {
  const samples = (count: (filter: ExposedStats['filters'][number]) => number) =>
    filters.map((filter) => ({ labels: renderLabels({ filter: filter.name }), value: count(filter) }))
  const [failures, answers] = [samples((filter) => filter.failures), samples((filter) => filter.answers)]
  return [
    family('weft_filter_failures_total', 'counter', 'Calls of a filter in TypeScript that failed.', failures),
    family('weft_filter_answers_total', 'counter', 'Requests that a filter in TypeScript answered itself.', answers),
  ]
}

function workerFamily(workers: ExposedStats['workers']): Family {
  return family(
    'weft_worker_connections_active',
    'gauge',
    'Client connections that the worker holds now.',
    workers.map(({ connections }, worker) => ({
      labels: renderLabels({ worker: String(worker) }),
      value: connections,
    })),
  )
}
