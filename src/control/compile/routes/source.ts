/**
 * Who asks, as far as rules of VirtualServices look at it: its namespace, and which of the labels that they name it has.
 *
 * Invariant: two clients with equal keys get the same routes, so that these are compiled once.
 */
import { type VirtualServiceMatch, type VirtualServiceSpec, virtualService } from '../../resources/virtual-service.js'
import { keep, type Mesh } from '../mesh/mesh.js'
import { type MeshNode, selectableLabels } from '../mesh/node.js'
import type { Parsed } from '../mesh/parsed.js'
import { includesLabels } from '../mesh/services.js'
import { effectiveRules } from './delegates.js'

export interface Source {
  namespace: string
  /** The `sourceLabels` of the mesh that it has, as their keys. */
  has: ReadonlySet<string>
}

/** Whose requests: those of clients (gateway `mesh`), or those that come in at a gateway, whose labels then count. */
export interface Caller {
  source: Source
  gateway: string
  /** The port that is asked for; null: it is known only as each request names it. */
  port: number | null
  tls: boolean
}

type Labels = Readonly<Record<string, string>>

export function sourceOf(mesh: Mesh, node: MeshNode): Source {
  const labels = selectableLabels(node)
  const had = [...sourceLabels(mesh)].filter(([, wanted]) => includesLabels(labels, wanted))
  return { namespace: node.namespace, has: new Set(had.map(([key]) => key)) }
}

/** Each different `sourceLabels` of the mesh, by its key. */
export function sourceLabels(mesh: Mesh): ReadonlyMap<string, Labels> {
  return keep(mesh, 'source labels', () => new Map(mesh.kinds.of(virtualService).flatMap(labelsOf)))
}

/** Equal for clients whom all of these VirtualServices treat alike. */
export function sourceKey(source: Source, routes: readonly Parsed<VirtualServiceSpec>[]): string {
  const asked = new Set(routes.flatMap(labelsOf).map(([key]) => key))
  return [source.namespace, ...[...asked].filter((key) => source.has.has(key)).sort()].join(' ')
}

/** The ports that rules name: a service whose port has no number is asked for at each of them in its own way. */
export function namedPorts(mesh: Mesh, routes: readonly Parsed<VirtualServiceSpec>[]): number[] {
  const rules = routes.flatMap((route) => effectiveRules(mesh, route).rules)
  const named = rules.flatMap(({ rule }) => rule.match.flatMap(({ port }) => port ?? []))
  return [...new Set(named)].sort((a, b) => a - b)
}

/** Labels and namespace are those of clients in the mesh; a gateway that a match names is enough by itself. */
export function appliesTo(match: VirtualServiceMatch, { source, gateway, port }: Caller): boolean {
  const { gateways, sourceLabels: wanted, sourceNamespace } = match
  if (match.port !== undefined && match.port !== port) return false
  if (gateways !== undefined && !gateways.includes(gateway)) return false
  if (gateways !== undefined && gateway !== 'mesh') return true
  const labelled = Object.keys(wanted).length === 0 || source.has.has(keyOf(wanted))
  return labelled && (sourceNamespace === undefined || sourceNamespace === source.namespace)
}

/** Whether there are clients or ports that it is not for. */
export function isPartial({ port, gateways, sourceLabels: wanted, sourceNamespace }: VirtualServiceMatch): boolean {
  return [port, gateways, sourceNamespace].some((one) => one !== undefined) || Object.keys(wanted).length > 0
}

function labelsOf({ spec }: Parsed<VirtualServiceSpec>): (readonly [string, Labels])[] {
  const asked = spec.http.flatMap(({ match }) => match.map(({ sourceLabels: wanted }) => wanted))
  return asked.filter((wanted) => Object.keys(wanted).length > 0).map((wanted) => [keyOf(wanted), wanted] as const)
}

function keyOf(wanted: Labels): string {
  return JSON.stringify(Object.entries(wanted).sort(([one], [other]) => (one < other ? -1 : 1)))
}
