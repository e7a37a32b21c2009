/**
 * `load → validate → compile → encode` in one call: from a file to the bytes for the engine and the plan for the
 * orchestrator.
 *
 * Invariant: everything heavy (the schema library, the YAML reader) is reached from here and from nowhere else in the
 * orchestrator, so that it can run in a thread whose heap is given back.
 */
import { dirname, resolve } from 'node:path'
import { hasDoor } from '../config/checks/doors.js'
import type { Finding } from '../config/checks/findings.js'
import { formatPath } from '../config/checks/path.js'
import type { ProxyConfig, ResolvedConfig } from '../config/config.js'
import { loadTree, placeFinder } from '../config/files/include.js'
import type { Watched } from '../config/files/signature.js'
import { type Direction, directionOfName } from '../config/listeners/direction.js'
import { readConfig } from '../config/read.js'
import { issueAt, sorted, type Validation, validate } from '../config/validate.js'
import { readEndpointFile } from '../discovery/endpoint-file.js'
import type { Source } from '../discovery/registry.js'
import type { SocketPlan } from '../door/socket/load.js'
import { WeftError } from '../errors.js'
import { ScriptNumbers, type ScriptSource } from '../filters/script-source.js'
import type { EndpointUpdate, Snapshot } from '../native/snapshot.js'
import { compileSnapshot } from './compile-snapshot.js'
import { descriptorLimit, fitConnections } from './descriptor-limit.js'
import { type Discovered, discover } from './discovery-sources.js'
import { encodeEndpointUpdate, encodeSnapshot } from './encode-snapshot.js'
import { type LoadedFilters, loadFilters, scriptPlaces } from './load-filters.js'
import { type PlannedSockets, planSockets } from './socket-plans.js'

/** What the orchestrator needs to know of a configuration besides the bytes. */
export interface Plan {
  /** Null: the configuration does not say. */
  workers: number | null
  drainDeadlineMs: number
  adminAddress: string | null
  listeners: { name: string; direction: Direction; protocol: string; address: string; clusters: string[] }[]
  clusters: { name: string; endpoints: string[] }[]
  /** Something may happen to endpoints that the log is to tell. */
  hasEvents: boolean
  /** WebSockets that end here, by listener. */
  sockets: SocketPlan[][]
  /** There are routes with faults. */
  faulty: boolean
  /** Registries to follow. */
  sources: Source[]
  /** Filters in TypeScript, for the threads to load. */
  scripts: ScriptSource[]
  warnings: string[]
  node: { id: string; service: string; version: string; region: string; zone: string }
  /** The resolved configuration as JSON text, for `/config_dump`. */
  dump: string
}

export interface Prepared {
  snapshot: Uint8Array
  plan: Plan
}

/** Throws `WEFT_CONFIG_*`; `WEFT_CONFIG_INVALID` carries every issue. `reading` is told of each file before it is read. */
export async function prepareFile(
  file: string,
  reading?: (watched: Watched) => void,
  numbers = new ScriptNumbers(),
): Promise<Prepared> {
  const resolved = await resolveFile(file, reading)
  const filters = await filtersOf(resolved, file, numbers, reading)
  const planned = await socketsOf(resolved, file, reading)
  return prepareResolved(resolved, file, filters, planned)
}

/** Loads the filters in TypeScript; every issue has its place in the file. */
export async function filtersOf(
  config: ResolvedConfig,
  file: string,
  numbers = new ScriptNumbers(),
  reading?: (watched: Watched) => void,
): Promise<LoadedFilters> {
  const loaded = await loadFilters(config, dirname(resolve(file)), numbers, reading)
  await refuse(loaded.findings, file)
  return loaded
}

/** The same for the modules of sockets. */
export async function socketsOf(
  config: ResolvedConfig,
  file: string,
  reading?: (watched: Watched) => void,
): Promise<PlannedSockets> {
  const planned = await planSockets(config, dirname(resolve(file)), reading)
  await refuse(planned.findings, file)
  return planned
}

/** Throws when there is a finding, with its place in the file. */
async function refuse(findings: Finding[], file: string): Promise<void> {
  if (findings.length === 0) return
  const placeOf = await placeFinder(await loadTree(file))
  accepted({ config: null, issues: sorted(findings.map((finding) => issueAt(placeOf(finding.path), finding))) }, file)
}

/** The same for a configuration that is already a value; paths in it are relative to the working directory. */
export async function prepareConfig(config: ProxyConfig, numbers = new ScriptNumbers()): Promise<Prepared> {
  const resolved = accepted(validate(config), 'the configuration')
  if (resolved.include.length > 0) {
    throw new WeftError('WEFT_CONFIG_INCLUDE', 'include works in files only', { hint: 'spread the values instead' })
  }
  const filters = await loadFilters(resolved, process.cwd(), numbers)
  const planned = await planSockets(resolved, process.cwd())
  const findings = [...filters.findings, ...planned.findings]
  const issues = findings.map((finding) => issueAt({ file: null, path: finding.path, line: null }, finding))
  if (issues.length > 0) accepted({ config: null, issues }, 'the configuration')
  return prepareResolved(resolved, 'config', filters, planned)
}

/** Load and validate only. */
export async function resolveFile(file: string, reading?: (watched: Watched) => void): Promise<ResolvedConfig> {
  return accepted(await readConfig(file, reading === undefined ? {} : { reading }), file)
}

/** Load, validate and compile: the snapshot that `file` is now, with what its registries know. */
export async function compileFile(file: string): Promise<Snapshot> {
  const config = await resolveFile(file)
  refuseTypeScript(config, file)
  const { endpoints } = await discover(config, dirname(resolve(file)))
  return compileSnapshot(config, file, endpoints)
}

/** A file of endpoints as the whole set of a cluster. Throws `WEFT_CONFIG_*` and `WEFT_DISCOVERY_FILE`. */
export async function prepareEndpoints(cluster: string, path: string): Promise<Uint8Array> {
  const { endpoints, error } = await readEndpointFile(path)
  if (error !== null) throw error
  return encodeEndpointUpdate({ cluster, endpoints, removed: [], complete: true } satisfies EndpointUpdate)
}

function accepted({ config, issues }: Validation, name: string): ResolvedConfig {
  if (config !== null) return config
  const count = issues.length === 1 ? '1 issue' : `${issues.length} issues`
  throw new WeftError('WEFT_CONFIG_INVALID', `${name} has ${count}`, { issues })
}

/** The binary that takes compiled snapshots runs no TypeScript: neither filters nor the door of uWebSockets.js. */
function refuseTypeScript(config: ResolvedConfig, file: string): void {
  const door = config.listeners.findIndex(hasDoor)
  const found = door < 0 ? scriptPlaces(config)[0]?.path : ['listeners', door]
  if (found === undefined) return
  const what = door < 0 ? 'is a filter in TypeScript' : 'is a door of uWebSockets.js'
  throw new WeftError('WEFT_FILTER_ELSEWHERE', `${file}: ${formatPath(found)} ${what}`, {
    hint: 'compiled snapshots are for weft-agent, which runs no TypeScript; serve this file with weft run',
  })
}

async function prepareResolved(
  resolved: ResolvedConfig,
  file: string,
  { scripts, sources }: LoadedFilters,
  { sockets }: PlannedSockets,
): Promise<Prepared> {
  const { config, warnings } = fitConnections(resolved, descriptorLimit())
  const discovered = await discover(config, dirname(resolve(file)))
  const snapshot = compileSnapshot(config, file, discovered.endpoints, scripts)
  return {
    snapshot: encodeSnapshot(snapshot),
    plan: { ...planOf(config, snapshot, discovered, warnings), scripts: sources, sockets },
  }
}

function planOf(
  config: ResolvedConfig,
  snapshot: Snapshot,
  discovered: Discovered,
  warnings: string[],
): Omit<Plan, 'scripts' | 'sockets'> {
  return {
    workers: config.workers,
    drainDeadlineMs: config.drain.deadline,
    adminAddress: config.admin?.address ?? null,
    listeners: config.listeners.map(({ name, direction, protocol, address }, index) => {
      const routes = snapshot.routes.filter(({ listeners }) => listeners.includes(index))
      const targets = routes.flatMap(({ action }) =>
        typeof action === 'object' && 'forward' in action ? action.forward.targets : [],
      )
      const clusters = new Set(targets.map(({ cluster }) => snapshot.clusters[cluster]?.name ?? ''))
      return { name, direction: direction ?? directionOfName(name), protocol, address, clusters: [...clusters] }
    }),
    clusters: snapshot.clusters.map(({ name, endpoints }) => ({ name, endpoints: endpoints.map((e) => e.address) })),
    faulty: config.routes.some(({ fault }) => fault !== null),
    hasEvents: snapshot.clusters.some(
      ({ healthCheck, outlierDetection, circuitBreaker }) =>
        (healthCheck ?? outlierDetection ?? circuitBreaker?.trip ?? null) !== null,
    ),
    sources: discovered.sources,
    warnings: [...warnings, ...discovered.warnings],
    node: snapshot.node,
    dump: JSON.stringify(config),
  }
}
