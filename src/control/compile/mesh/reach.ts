/** What a workload may reach: all services exported to its namespace, or those that a Sidecar names. */
import { type SidecarEgress, type SidecarSpec, sidecar } from '../../resources/sidecar.js'
import { describeOrigin, type MeshFinding, originOf } from '../finding.js'
import type { Origin } from '../nouns.js'
import { hostNames, isVisible, keep, type Mesh } from './mesh.js'
import { type MeshNode, selectableLabels } from './node.js'
import type { Parsed } from './parsed.js'
import { includesLabels, type ServiceDefinition } from './services.js'

/** Services, and hosts beside them, that some patterns name. */
export interface Reached {
  services: readonly ServiceDefinition[]
  /** Whether hosts that only VirtualServices know are in reach. */
  hosts(host: string, namespace: string): boolean
}

/** What is reached at a port of its own. */
export interface EgressPort extends Reached {
  number: number
  /** Where it is listened on; undefined: on the loopback address. */
  bind: string | undefined
  carries: 'requests' | 'tcp' | 'tls'
  origin: Origin
}

export interface Reach extends Reached {
  /** Two nodes with the same key reach the same services. */
  key: string
  ports: readonly EgressPort[]
  findings: MeshFinding[]
}

export function reachOf(mesh: Mesh, node: MeshNode): Reach {
  const [chosen, ...others] = sidecarsFor(mesh, node)
  const { namespace } = node
  const findings = others.map(
    ({ resource }): MeshFinding => ({
      severity: 'error',
      code: 'WEFT_MESH_CONFLICT',
      origin: originOf(resource, 'spec.workloadSelector'),
      message: `${chosen === undefined ? '' : describeOrigin(originOf(chosen.resource, ''))} is older and selects the same workloads`,
      hint: 'let one Sidecar select a workload',
    }),
  )
  const narrowing = chosen === undefined ? undefined : narrowingOf(mesh, chosen)
  if (narrowing === undefined)
    return { key: namespace, ...reached(mesh, namespace, ['*/*'], namespace), ports: [], findings }
  // A gRPC client listens nowhere, and reaches at once what others reach at ports of their own.
  const atPorts = ({ port }: SidecarEgress) => port !== undefined && node.plane !== 'grpc'
  const { egress } = narrowing.spec
  const key = `${namespace} by ${narrowing.resource.metadata.name}`
  const patterns = egress.filter((one) => !atPorts(one)).flatMap(({ hosts }) => hosts)
  const ports = egress.flatMap((one, index): EgressPort[] => {
    if (!atPorts(one) || one.port === undefined) return []
    const { number, protocol } = one.port
    return [
      {
        ...reached(mesh, namespace, one.hosts, `${key} [${index}]`),
        ...{ number, bind: one.bind, origin: originOf(narrowing.resource, `spec.egress[${index}]`) },
        carries: protocol === 'TCP' ? 'tcp' : protocol === 'TLS' ? 'tls' : 'requests',
      },
    ]
  })
  return { key, ...reached(mesh, namespace, patterns, `${key} for ${node.plane}`), ports, findings }
}

/** The Sidecar that says what a workload may reach, and where it is reached. */
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

/** One that says nothing of egress leaves that to the namespace's (as in Istio); undefined: all is in reach. */
function narrowingOf(mesh: Mesh, chosen: Parsed<SidecarSpec>): Parsed<SidecarSpec> | undefined {
  if (chosen.spec.egress.length > 0) return chosen
  const { namespace } = chosen.resource.metadata
  const wide = ({ resource, spec }: Parsed<SidecarSpec>) =>
    resource.metadata.namespace === namespace && spec.workloadSelector === undefined
  const [first] = mesh.kinds.of(sidecar).filter(wide)
  return first === undefined || first.spec.egress.length === 0 ? undefined : first
}

function reached(mesh: Mesh, namespace: string, patterns: string[], key: string): Reached {
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
  return { services, hosts }
}

/** `~` is no namespace at all. */
function placeMatches(place: string, owner: string, namespace: string): boolean {
  return place === '*' || (place === '.' ? owner === namespace : place === owner)
}

function hostMatches(pattern: string, host: string): boolean {
  if (pattern === '*' || pattern === host) return true
  return pattern.startsWith('*.') && host.endsWith(pattern.slice(1))
}
