/**
 * Third step of a configuration change: a resolved configuration becomes the snapshot that the engine takes.
 *
 * Invariants: pure; ids are indexes into the lists; no default is decided here; `satisfies` holds each part to the
 * types generated from the engine, so that a new field there breaks this build.
 */
import { dirname, resolve } from 'node:path'
import type { ResolvedConfig } from '../config/config.js'
import type { Cluster, Listener, Route, Snapshot } from '../native/snapshot.js'

/** The layout of the snapshot; the engine refuses any other. */
export const snapshotFormat = 1

/** `file` is where the configuration stands: paths in it are relative to that. */
export function compileSnapshot(config: ResolvedConfig, file: string): Snapshot {
  const { id, service, version, region, zone } = config.node
  const listenerIds = new Map(config.listeners.map(({ name }, index) => [name, index]))
  const clusterIds = new Map(config.clusters.map(({ name }, index) => [name, index]))
  return {
    format: snapshotFormat,
    node: { id, service, version, region, zone },
    records: config.records,
    drainDeadlineMs: config.drain.deadline,
    listeners: config.listeners.map((listener) => compileListener(listener, dirname(resolve(file)))),
    routes: config.routes.map((route) => compileRoute(route, listenerIds, clusterIds)),
    clusters: config.clusters.map(compileCluster),
  } satisfies Snapshot
}

function compileListener(listener: ResolvedConfig['listeners'][number], folder: string): Listener {
  const { name, address, limits, accessLog, abortOnClose } = listener
  return {
    name,
    address,
    limits: {
      maxConnections: limits.maxConnections,
      maxHeaderBytes: limits.maxHeaderBytes,
      maxHeaders: limits.maxHeaders,
      headersTimeoutMs: limits.headersTimeout,
      idleTimeoutMs: limits.idleTimeout,
      maxRequestsPerConnection: limits.maxRequestsPerConnection,
    },
    accessLog: accessLog === null ? null : { path: resolve(folder, accessLog.path), format: accessLog.format },
    abortOnClose,
  } satisfies Listener
}

type Ids = Map<string, number>

function compileRoute(route: ResolvedConfig['routes'][number], listenerIds: Ids, clusterIds: Ids): Route {
  const [target] = route.forward
  return {
    name: route.name,
    listeners:
      route.listeners === null ? [...listenerIds.values()] : route.listeners.map((name) => id(listenerIds, name)),
    cluster: id(clusterIds, target?.cluster ?? ''),
    timeoutMs: route.timeout,
    firstByteTimeoutMs: route.firstByteTimeout,
    idleTimeoutMs: route.idleTimeout,
  } satisfies Route
}

function compileCluster(cluster: ResolvedConfig['clusters'][number]): Cluster {
  const { name, endpoints, connectTimeout, keepAlive } = cluster
  return { name, endpoints, connectTimeoutMs: connectTimeout, keepAliveIdleMs: keepAlive.idleTimeout } satisfies Cluster
}

function id(ids: Ids, name: string): number {
  const found = ids.get(name)
  if (found === undefined) throw new Error(`validation let the unknown name ${JSON.stringify(name)} through`)
  return found
}
