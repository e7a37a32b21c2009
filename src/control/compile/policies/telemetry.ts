/**
 * The Telemetries that hold for one data plane, level by level: mesh, namespace, workload. What a nearer level says of a
 * part takes the place of what the one before said; what it leaves out stays (Istio's rule).
 */
import { type AccessLoggingEntry, type TelemetrySpec, type TracingEntry, telemetry } from '../../resources/telemetry.js'
import { type MeshFinding, originOf } from '../finding.js'
import type { AccessLog, TraceTag } from '../listener-nouns.js'
import type { Mesh } from '../mesh/mesh.js'
import type { MeshNode } from '../mesh/node.js'
import type { Parsed } from '../mesh/parsed.js'
import type { Origin } from '../nouns.js'
import { targets } from './policy-target.js'
import { accessLogOf, builtInLog, exporterOf, type FoundExporter } from './telemetry-providers.js'

/** What of requests is said: of those that a workload takes, or of those that it makes. A gateway makes them. */
export type TelemetrySide = 'SERVER' | 'CLIENT'

/** Parts of a Telemetry, each of which holds by itself. */
export const telemetryParts = ['accessLogging', 'tracing'] as const

type Level = Parsed<TelemetrySpec>

export interface ChosenTracing {
  exporter: FoundExporter
  samplingPercent: number
  tags: TraceTag[]
  origin: Origin | null
}

export interface ChosenTelemetry {
  accessLogs: AccessLog[]
  tracing: ChosenTracing | null
  origins: Origin[]
  findings: MeshFinding[]
}

/** The mesh's, the namespace's, the workload's own; of two that are as near, the older. */
export function telemetryLevels(mesh: Mesh, node: MeshNode): Level[] {
  const all = mesh.kinds.of(telemetry)
  const isOf = (namespace: string) => (one: Level) => one.resource.metadata.namespace === namespace
  const isWide = ({ spec }: Level) => spec.selector === undefined && spec.targetRefs === undefined
  const { rootNamespace } = mesh.options
  const wide = all.filter(isWide)
  const selecting = all.filter((one) => !isWide(one) && targets(one.spec, node))
  const found = [
    wide.find(isOf(rootNamespace)),
    node.namespace === rootNamespace ? undefined : wide.find(isOf(node.namespace)),
    selecting.find(isOf(node.namespace)) ?? selecting.find(isOf(rootNamespace)),
  ]
  return found.filter((one) => one !== undefined)
}

export function telemetryFor(mesh: Mesh, node: MeshNode, side: TelemetrySide): ChosenTelemetry {
  const findings: MeshFinding[] = []
  const levels = telemetryLevels(mesh, node)
  const context = { mesh, side, findings }
  return {
    accessLogs: accessLogs(context, levels),
    tracing: tracing(context, levels),
    origins: levels.flatMap(({ resource, spec }) =>
      telemetryParts.filter((part) => spec[part].length > 0).map((part) => originOf(resource, `spec.${part}`)),
    ),
    findings,
  }
}

interface Context {
  mesh: Mesh
  side: TelemetrySide
  findings: MeshFinding[]
}

interface ChosenLog {
  filter: string | null
  origin: Origin | null
}

function accessLogs({ mesh, side, findings }: Context, levels: Level[]): AccessLog[] {
  const defaults = mesh.options.defaultProviders.accessLogging
  let chosen = new Map<string, ChosenLog>(defaults.map((name) => [name, { filter: null, origin: null }]))
  for (const { resource, spec } of levels) {
    const entries = spec.accessLogging.map((entry, index) => {
      return { entry, origin: originOf(resource, `spec.accessLogging[${index}]`) }
    })
    chosen = nextLogs(
      chosen,
      entries.filter(({ entry }) => isForSide(entry, side)),
    )
  }
  return [...chosen].flatMap(([name, { filter, origin }]): AccessLog[] => {
    const log = accessLogOf(mesh, name, origin, findings)
    return log === null ? [] : [{ ...log, filter, origin }]
  })
}

/** A level that names providers has those and no others; one that does not speaks of those before it. */
function nextLogs(
  before: ReadonlyMap<string, ChosenLog>,
  entries: { entry: AccessLoggingEntry; origin: Origin }[],
): Map<string, ChosenLog> {
  const names = entries.some(({ entry }) => entry.providers.length > 0)
  const after = new Map(names ? [] : before)
  for (const { entry, origin } of entries) {
    const { providers, disabled, filter } = entry
    const meant = providers.length > 0 ? providers.map(({ name }) => name) : [...before.keys()]
    for (const name of meant.length > 0 ? meant : [builtInLog]) {
      if (disabled) after.delete(name)
      else after.set(name, { filter: filter?.expression ?? null, origin })
    }
  }
  return after
}

function tracing({ mesh, side, findings }: Context, levels: Level[]): ChosenTracing | null {
  const entries = levels.flatMap(({ resource, spec }) =>
    spec.tracing.map((entry, index) => ({ entry, origin: originOf(resource, `spec.tracing[${index}]`) })),
  )
  const mine = entries.filter(({ entry }) => isForSide(entry, side))
  const last = <Value>(read: (entry: TracingEntry) => Value | undefined): Value | undefined =>
    mine.flatMap(({ entry }) => read(entry) ?? []).at(-1) as Value | undefined
  if (last(({ disableSpanReporting }) => disableSpanReporting) === true) return null
  const named = mine.findLast(({ entry }) => entry.providers.length > 0)
  const name = named?.entry.providers[0]?.name ?? mesh.options.defaultProviders.tracing[0]
  const origin = (named ?? mine.at(-1))?.origin ?? null
  if (name === undefined) {
    if (origin !== null) findings.push(noProvider(origin))
    return null
  }
  const exporter = exporterOf(mesh, name, origin, findings)
  if (exporter === null) return null
  const tags = last(({ customTags }) => (Object.keys(customTags).length > 0 ? customTags : undefined)) ?? {}
  return {
    exporter,
    // Istio's own default.
    samplingPercent: last(({ randomSamplingPercentage }) => randomSamplingPercentage) ?? 1,
    tags: Object.entries(tags).map(([tag, value]) => tagNoun(tag, value)),
    // The nearest word, which is what changed last.
    origin: mine.at(-1)?.origin ?? null,
  }
}

function isForSide({ match: { mode } }: Pick<AccessLoggingEntry, 'match'>, side: TelemetrySide): boolean {
  return mode === 'CLIENT_AND_SERVER' || mode === side
}

function tagNoun(
  name: string,
  { literal, header, environment, formatter }: TracingEntry['customTags'][string],
): TraceTag {
  if (formatter !== undefined) return { name, format: formatter.value }
  if (literal !== undefined) return { name, literal: literal.value }
  if (header !== undefined) return { name, header: header.name.toLowerCase(), otherwise: header.defaultValue }
  return { name, environment: environment?.name ?? '', otherwise: environment?.defaultValue ?? '' }
}

function noProvider(origin: Origin): MeshFinding {
  return {
    severity: 'error',
    code: 'WEFT_MESH_REFERENCE',
    origin,
    message: 'nothing is traced: no provider is named here or in mesh.defaultProviders.tracing',
    hint: 'declare one under mesh.extensionProviders of the control plane, and name it under providers',
    stops: true,
  }
}
