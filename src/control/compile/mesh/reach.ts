/** What a workload may reach: all services exported to its namespace, or those that a Sidecar names. */
import { type SidecarSpec, sidecar } from '../../resources/sidecar.js'
import { describeOrigin, type MeshFinding, originOf } from '../finding.js'
import { hostNames, isVisible, keep, type Mesh } from './mesh.js'
import { type MeshNode, selectableLabels } from './node.js'
import type { Parsed } from './parsed.js'
import { includesLabels, type ServiceDefinition } from './services.js'

export interface Reach {
  /** Two nodes with the same key reach the same services. */
  key: string
  services: readonly ServiceDefinition[]
  /** Whether hosts that only VirtualServices know are in reach. */
  hosts(host: string, namespace: string): boolean
  findings: MeshFinding[]
}

export function reachOf(mesh: Mesh, node: MeshNode): Reach {
  const [chosen, ...others] = sidecarsFor(mesh, node)
  if (chosen === undefined) return narrowed(mesh, node.namespace, `${node.namespace}`, ['*/*'], [])
  const findings = others.map(
    ({ resource }): MeshFinding => ({
      severity: 'error',
      code: 'WEFT_MESH_CONFLICT',
      origin: originOf(resource, 'spec.workloadSelector'),
      message: `${describeOrigin(originOf(chosen.resource, ''))} is older and selects the same workloads`,
      hint: 'let one Sidecar select a workload',
    }),
  )
  const hosts = chosen.spec.egress.flatMap((egress) => egress.hosts)
  return narrowed(mesh, node.namespace, `${node.namespace} by ${chosen.resource.metadata.name}`, hosts, findings)
}

/** The Sidecar that narrows what a workload may reach. */
export function chosenSidecar(mesh: Mesh, node: MeshNode): Parsed<SidecarSpec> | undefined {
  return sidecarsFor(mesh, node)[0]
}

/** Oldest first: those that select the workload, else those of the whole namespace. */
function sidecarsFor(mesh: Mesh, node: MeshNode): Parsed<SidecarSpec>[] {
  const all = mesh.kinds.of(sidecar).filter(({ resource }) => resource.metadata.namespace === node.namespace)
  const labels = selectableLabels(node)
  const selecting = all.filter(
    ({ spec }) => spec.workloadSelector !== undefined && includesLabels(labels, spec.workloadSelector.labels),
  )
  return selecting.length > 0 ? selecting : all.filter(({ spec }) => spec.workloadSelector === undefined)
}

function narrowed(mesh: Mesh, namespace: string, key: string, patterns: string[], findings: MeshFinding[]): Reach {
  const split = patterns.map((text) => text.split('/') as [string, string])
  const hosts = (host: string, owner: string) =>
    split.some(([place, name]) => placeMatches(place, owner, namespace) && hostMatches(name, host))
  const services = keep(mesh, `reach ${key}`, () =>
    mesh.definitions.filter(
      (service) =>
        isVisible(service.exportTo, service.namespace, namespace) &&
        [service.name, ...hostNames(service, namespace, mesh.options)].some((host) => hosts(host, service.namespace)),
    ),
  )
  return { key, services, hosts, findings }
}

/** `~` is no namespace at all. */
function placeMatches(place: string, owner: string, namespace: string): boolean {
  return place === '*' || (place === '.' ? owner === namespace : place === owner)
}

function hostMatches(pattern: string, host: string): boolean {
  if (pattern === '*' || pattern === host) return true
  return pattern.startsWith('*.') && host.endsWith(pattern.slice(1))
}
