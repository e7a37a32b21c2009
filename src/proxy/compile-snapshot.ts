/**
 * Third step of a configuration change: a resolved configuration becomes the snapshot that the engine takes.
 *
 * Invariants: pure; ids are indexes into the lists; no default is decided here; `satisfies` holds each part to the
 * types generated from the engine, so that a new field there breaks this build.
 */
import { dirname, resolve } from 'node:path'
import type { ResolvedEndpoint } from '../config/clusters/endpoint.js'
import type { ResolvedConfig } from '../config/config.js'
import type { Snapshot } from '../native/snapshot.js'
import { compileCluster } from './compile/cluster.js'
import { destinationsOf } from './compile/destination.js'
import type { Scripts } from './compile/filter.js'
import { idsOf } from './compile/ids.js'
import { compileListener } from './compile/listener.js'
import { compileRecords } from './compile/records.js'
import { compileRoute } from './compile/route.js'
import { socketRoutes } from './compile/sockets.js'

/** The layout of the snapshot; the engine refuses any other. */
export const snapshotFormat = 2

/** What registries know, by cluster. */
export type Endpoints = ReadonlyMap<string, readonly ResolvedEndpoint[]>

/**
 * `file` is where the configuration stands: paths in it are relative to that. Without `scripts` the snapshot is one to look
 * at: its filters in TypeScript do nothing.
 */
export function compileSnapshot(
  config: ResolvedConfig,
  file: string,
  found: Endpoints = new Map(),
  scripts: Scripts = new Map(),
): Snapshot {
  const { id, service, version, region, zone } = config.node
  const listenerIds = idsOf(config.listeners)
  const destinations = destinationsOf(config.clusters)
  const folder = dirname(resolve(file))
  return {
    format: snapshotFormat,
    node: { id, service, version, region, zone },
    records: compileRecords(config),
    tracing: config.tracing === null ? null : { samplingPpm: config.tracing.sampling },
    drainDeadlineMs: config.drain.deadline,
    listeners: config.listeners.map((listener) => compileListener(listener, folder, scripts)),
    routes: [...config.routes, ...socketRoutes(config)].map((route) =>
      compileRoute(route, folder, listenerIds, destinations, scripts),
    ),
    clusters: config.clusters.map((cluster) => compileCluster(cluster, folder, scripts, found.get(cluster.name))),
  } satisfies Snapshot
}
