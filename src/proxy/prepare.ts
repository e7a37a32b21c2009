/**
 * `load → validate → compile → encode` in one call: from a file to the bytes for the engine and the plan for the
 * orchestrator.
 *
 * Invariant: everything heavy (the schema library, the YAML reader) is reached from here and from nowhere else in the
 * orchestrator, so that it can run in a thread whose heap is given back.
 */
import type { ProxyConfig, ResolvedConfig } from '../config/config.js'
import { lineFinder, loadFile } from '../config/load.js'
import { type LineOf, validate } from '../config/validate.js'
import { WeftError } from '../errors.js'
import { compileSnapshot } from './compile-snapshot.js'
import { descriptorLimit, fitConnections } from './descriptor-limit.js'
import { encodeSnapshot } from './encode-snapshot.js'

/** What the orchestrator needs to know of a configuration besides the bytes. */
export interface Plan {
  workers: number
  drainDeadlineMs: number
  adminAddress: string | null
  listeners: { name: string; protocol: string; address: string; clusters: string[] }[]
  clusters: { name: string; endpoints: string[] }[]
  warnings: string[]
  node: { id: string; service: string; version: string; region: string; zone: string }
  /** The resolved configuration as JSON text, for `/config_dump`. */
  dump: string
}

export interface Prepared {
  snapshot: Uint8Array
  plan: Plan
}

/** Throws `WEFT_CONFIG_*`; `WEFT_CONFIG_INVALID` carries every issue. */
export async function prepareFile(file: string): Promise<Prepared> {
  return prepareResolved(await resolveFile(file), file)
}

/** The same for a configuration that is already a value; paths in it are relative to the working directory. */
export function prepareConfig(config: ProxyConfig): Prepared {
  return prepareResolved(resolveConfig(config, 'the configuration'), 'config')
}

/** Load and validate only. */
export async function resolveFile(file: string): Promise<ResolvedConfig> {
  const { text, value } = await loadFile(file)
  const first = validate(value)
  return first.config ?? resolveConfig(value, file, await lineFinder(text))
}

function resolveConfig(value: unknown, name: string, lineOf?: LineOf): ResolvedConfig {
  const { config, issues } = validate(value, lineOf)
  if (config !== null) return config
  const count = issues.length === 1 ? '1 issue' : `${issues.length} issues`
  throw new WeftError('WEFT_CONFIG_INVALID', `${name} has ${count}`, { issues })
}

function prepareResolved(resolved: ResolvedConfig, file: string): Prepared {
  const { config, warnings } = fitConnections(resolved, descriptorLimit())
  const snapshot = compileSnapshot(config, file)
  const plan: Plan = {
    workers: config.workers,
    drainDeadlineMs: config.drain.deadline,
    adminAddress: config.admin?.address ?? null,
    listeners: config.listeners.map(({ name, protocol, address }, index) => {
      const routes = snapshot.routes.filter(({ listeners }) => listeners.includes(index))
      const targets = routes.flatMap(({ action }) => ('forward' in action ? action.forward.targets : []))
      const clusters = new Set(targets.map(({ cluster }) => snapshot.clusters[cluster]?.name ?? ''))
      return { name, protocol, address, clusters: [...clusters] }
    }),
    clusters: snapshot.clusters.map(({ name, endpoints }) => ({ name, endpoints: endpoints.map((e) => e.address) })),
    warnings,
    node: snapshot.node,
    dump: JSON.stringify(config),
  }
  return { snapshot: encodeSnapshot(snapshot), plan }
}
