/**
 * The services of the mesh and their endpoints, from registered workloads, ServiceEntries and WorkloadEntries.
 *
 * Invariants: a service is known by namespace and name; its definition and the list of its endpoints keep their
 * identity as long as they say the same, so that everything compiled from them can be kept too.
 */

import { subzoneLabel } from '../../resources/kind.js'
import type { ServiceEntrySpec } from '../../resources/service-entry.js'
import type { WorkloadEntrySpec } from '../../resources/workload-entry.js'
import type { MeshResource, Workload } from '../../state/mesh-source.js'
import type { Parsed } from './parsed.js'

export interface ServicePort {
  /** `main` where a workload registered only one port. */
  name: string
  /** Null: each endpoint has its own, and any number names this port. */
  number: number | null
  /** `tls`: the application brings its own; which connection is whose shows in the name that it asks for. */
  protocol: 'http1' | 'http2' | 'tcp' | 'tls'
}

/** Whether what comes to the port is forwarded as connections, whatever they carry. */
export function takesConnections({ protocol }: ServicePort): boolean {
  return protocol === 'tcp' || protocol === 'tls'
}

export interface ServiceDefinition {
  key: string
  namespace: string
  name: string
  ports: ServicePort[]
  /** Outside the mesh: its endpoints have no identity of the mesh. */
  external: boolean
  /** Names that the data plane resolves, where resolution is DNS. */
  dns: boolean
  exportTo: string[]
  /** Where data planes listen for clients of its connections; empty: where they listen for all else. */
  addresses: string[]
  /** Service accounts of its endpoints, sorted. */
  accounts: string[]
  /** Names that its certificate may carry, where a ServiceEntry says so. */
  subjectAltNames: string[]
  entry: MeshResource | null
}

export interface ServiceEndpoint {
  address: string
  /** By the name of the service's port. */
  ports: Record<string, number>
  labels: Readonly<Record<string, string>>
  region: string
  zone: string
  weight: number
  health: 'healthy' | 'unhealthy' | 'draining'
  account: string
}

export interface Service {
  definition: ServiceDefinition
  endpoints: readonly ServiceEndpoint[]
}

export interface ServiceInputs {
  workloads: readonly Workload[]
  serviceEntries: readonly Parsed<ServiceEntrySpec>[]
  workloadEntries: readonly Parsed<WorkloadEntrySpec>[]
}

export function buildServices(inputs: ServiceInputs, previous: ReadonlyMap<string, Service>): Map<string, Service> {
  const services = new Map<string, Service>()
  const registered = groupWorkloads(inputs.workloads)
  for (const entry of inputs.serviceEntries) {
    for (const host of entry.spec.hosts) {
      const key = `${entry.resource.metadata.namespace}/${host}`
      if (services.has(key)) continue // the older one stands; `lint` reports the other
      services.set(key, fromEntry(key, host, entry, inputs, registered.get(key) ?? []))
    }
  }
  for (const [key, workloads] of registered) {
    if (!services.has(key)) services.set(key, fromWorkloads(key, workloads))
  }
  for (const [key, service] of services) services.set(key, keepUnchanged(service, previous.get(key)))
  return services
}

function groupWorkloads(workloads: readonly Workload[]): Map<string, Workload[]> {
  const groups = new Map<string, Workload[]>()
  for (const workload of workloads) {
    const key = `${workload.namespace}/${workload.service}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [workload])
    else group.push(workload)
  }
  return groups
}

function fromWorkloads(key: string, workloads: Workload[]): Service {
  const [first] = workloads
  if (first === undefined) throw new Error('a group holds at least one workload')
  const names = new Set(workloads.flatMap(({ ports }) => Object.keys(ports)))
  const named = [...names].sort().map((name): ServicePort => {
    const numbers = new Set(workloads.flatMap(({ ports }) => ports[name] ?? []))
    const [number] = numbers
    return { name, number: numbers.size === 1 ? (number ?? null) : null, protocol: protocolOfName(name) }
  })
  const definition: ServiceDefinition = {
    key,
    namespace: first.namespace,
    name: first.service,
    ports: [{ name: 'main', number: null, protocol: 'http1' }, ...named],
    external: false,
    dns: false,
    exportTo: ['*'],
    addresses: [],
    accounts: sorted(workloads.map(accountOf)),
    subjectAltNames: [],
    entry: null,
  }
  return { definition, endpoints: workloads.map(registeredEndpoint) }
}

function fromEntry(
  key: string,
  host: string,
  { resource, spec }: Parsed<ServiceEntrySpec>,
  { workloadEntries }: ServiceInputs,
  workloads: Workload[],
): Service {
  const { namespace } = resource.metadata
  const ports = spec.ports.map(({ number, name, protocol }) => ({ name, number, protocol: protocolOf(protocol) }))
  const selected = workloadEntries.filter(
    (entry) =>
      entry.resource.metadata.namespace === namespace &&
      spec.workloadSelector !== undefined &&
      includesLabels({ ...entry.resource.metadata.labels, ...entry.spec.labels }, spec.workloadSelector.labels),
  )
  const dns = spec.resolution === 'DNS'
  const written =
    spec.endpoints.length === 0 && dns
      ? [{ address: host, ports: {}, labels: {}, locality: '', serviceAccount: '' }]
      : spec.endpoints
  const endpoints = [...written, ...selected.map((entry) => entry.spec)].map((endpoint) =>
    entryEndpoint(endpoint, spec.ports),
  )
  const joined = workloads
    .map(registeredEndpoint)
    .map((endpoint) => ({ ...endpoint, ports: portsByName(endpoint.ports, ports) }))
  const all = dns ? endpoints : [...endpoints, ...joined]
  const definition: ServiceDefinition = {
    key,
    namespace,
    name: host,
    ports,
    external: spec.location === 'MESH_EXTERNAL',
    dns,
    exportTo: spec.exportTo,
    addresses: spec.addresses,
    accounts: sorted(all.map(({ account }) => account).filter((account) => account !== '')),
    subjectAltNames: spec.subjectAltNames,
    entry: resource,
  }
  return { definition, endpoints: all }
}

/** A registered workload knows its ports by other names than a ServiceEntry may: the unnamed one stands for all else. */
function portsByName(own: Record<string, number>, ports: ServicePort[]): Record<string, number> {
  return Object.fromEntries(ports.map(({ name }) => [name, own[name] ?? own.main ?? 0]))
}

function registeredEndpoint(workload: Workload): ServiceEndpoint {
  const { address, labels, region, zone, weight, health } = workload
  const ports = { ...workload.ports, main: workload.port }
  return { address, ports, labels, region, zone, weight, health, account: accountOf(workload) }
}

function entryEndpoint(
  endpoint: ServiceEntrySpec['endpoints'][number],
  ports: ServiceEntrySpec['ports'],
): ServiceEndpoint {
  const [region = '', zone = '', subzone = ''] = endpoint.locality.split('/')
  const numbers = ports.map(
    ({ name, number, targetPort }) => [name, endpoint.ports[name] ?? targetPort ?? number] as const,
  )
  return {
    address: endpoint.address,
    ports: Object.fromEntries(numbers),
    labels: subzone === '' ? endpoint.labels : { [subzoneLabel]: subzone, ...endpoint.labels },
    region,
    zone,
    weight: endpoint.weight ?? 1,
    health: 'healthy',
    account: endpoint.serviceAccount,
  }
}

function accountOf({ serviceAccount, service }: Workload): string {
  return serviceAccount === '' ? service : serviceAccount
}

/** Ports named `http2`, `grpc`, `tcp` or `tls`, alone or before a dash, say what they speak, as Istio reads them. */
function protocolOfName(name: string): ServicePort['protocol'] {
  const [word = ''] = name.split('-')
  return word === 'grpc' || word === 'http2' ? 'http2' : word === 'tcp' || word === 'tls' ? word : 'http1'
}

function protocolOf(protocol: string): ServicePort['protocol'] {
  if (protocol === 'TCP') return 'tcp'
  if (protocol === 'TLS') return 'tls'
  return protocol === 'HTTP2' || protocol === 'GRPC' ? 'http2' : 'http1'
}

function keepUnchanged(service: Service, previous: Service | undefined): Service {
  if (previous === undefined) return service
  const sameDefinition = JSON.stringify(service.definition) === JSON.stringify(previous.definition)
  const definition = sameDefinition ? previous.definition : service.definition
  const sameEndpoints = JSON.stringify(service.endpoints) === JSON.stringify(previous.endpoints)
  const endpoints = sameEndpoints ? previous.endpoints : service.endpoints
  return sameDefinition && sameEndpoints ? previous : { definition, endpoints }
}

function sorted(words: readonly string[]): string[] {
  return [...new Set(words)].sort()
}

export function includesLabels(
  labels: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value)
}
