/**
 * The mesh at one revision, indexed: parsed resources, services and how names find them. Every compile step reads it.
 *
 * Invariant: pure; built from a state and, to keep what did not change, from the mesh before it.
 */
import type { DefaultProviders, ExtensionProvider } from '../../config/extension-providers.js'
import { serviceEntry } from '../../resources/service-entry.js'
import { workloadEntry } from '../../resources/workload-entry.js'
import type { KeySets, MeshState } from '../../state/mesh-source.js'
import { type ParsedKinds, parseKinds } from './parsed.js'
import { buildServices, type Service, type ServiceDefinition, type ServicePort } from './services.js'

export interface MeshOptions {
  /** The trust domain of identities: `spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/ACCOUNT`. */
  trustDomain: string
  /** Last part of long service names. */
  clusterDomain: string
  /** Policies in this namespace without a selector hold for all namespaces. */
  rootNamespace: string
  /** Destinations that Telemetry names, and those in use where it names none. */
  extensionProviders: ExtensionProvider[]
  defaultProviders: DefaultProviders
}

export const defaultMeshOptions: MeshOptions = {
  trustDomain: 'cluster.local',
  clusterDomain: 'cluster.local',
  rootNamespace: 'weft-system',
  extensionProviders: [],
  defaultProviders: { accessLogging: [], tracing: [] },
}

export interface Mesh {
  revision: number
  options: MeshOptions
  kinds: ParsedKinds
  /** By `namespace/name`. */
  services: ReadonlyMap<string, Service>
  definitions: readonly ServiceDefinition[]
  /** Keys that were fetched for RequestAuthentication; null: nobody fetches here. */
  keySets: KeySets | null
  /** Everything but endpoints: keeps its identity while only those change, so it is the key of what may be kept. */
  rules: object
}

export function indexMesh(state: MeshState, previous: Mesh | null, options: MeshOptions = defaultMeshOptions): Mesh {
  const kinds = parseKinds(state.resources, previous?.kinds ?? null)
  const inputs = {
    workloads: state.workloads,
    serviceEntries: kinds.of(serviceEntry),
    workloadEntries: kinds.of(workloadEntry),
  }
  const services = buildServices(inputs, previous?.services ?? new Map())
  const list = [...services.values()].map(({ definition }) => definition).sort((a, b) => (a.key < b.key ? -1 : 1))
  const before = previous?.definitions ?? []
  const same = before.length === list.length && list.every((definition, index) => definition === before[index])
  const keySets = state.keySets ?? null
  const kept = same && previous !== null && previous.kinds === kinds && previous.keySets === keySets
  const rules = kept ? previous.rules : {}
  return { revision: state.revision, options, kinds, services, definitions: same ? before : list, keySets, rules }
}

/**
 * The service that a host means to a resource or client of a namespace: `reviews`, `reviews.shop`, `reviews.shop.svc`,
 * `reviews.shop.svc.DOMAIN`, or the whole name of a ServiceEntry in any namespace.
 */
export function findService(mesh: Mesh, host: string, namespace: string): ServiceDefinition | null {
  const own = mesh.services.get(`${namespace}/${host}`)
  if (own !== undefined) return own.definition
  const short = host.replace(new RegExp(`\\.svc(\\.${mesh.options.clusterDomain.replaceAll('.', '\\.')})?$`), '')
  const dot = short.lastIndexOf('.')
  if (dot > 0) {
    const named = mesh.services.get(`${short.slice(dot + 1)}/${short.slice(0, dot)}`)
    if (named !== undefined) return named.definition
  }
  if (!host.includes('.')) return null
  return (
    mesh.definitions.find(({ name, entry, exportTo }) => name === host && entry !== null && exportTo.includes('*')) ??
    null
  )
}

/** Each name under which clients of a namespace call a service. */
export function hostNames(
  { namespace, name, entry }: ServiceDefinition,
  clientNamespace: string,
  { clusterDomain }: MeshOptions,
): string[] {
  const short = namespace === clientNamespace || (entry !== null && name.includes('.')) ? [name] : []
  return [...short, `${name}.${namespace}`, `${name}.${namespace}.svc`, `${name}.${namespace}.svc.${clusterDomain}`]
}

/** The port that a number means: its own, or the unnamed one of registered workloads. */
export function findPort(service: ServiceDefinition, number: number | undefined): ServicePort | null {
  const [first] = service.ports
  if (number === undefined) return service.ports.length === 1 || service.entry === null ? (first ?? null) : null
  return (
    service.ports.find((port) => port.number === number) ??
    service.ports.find((port) => port.name === 'main' && port.number === null) ??
    null
  )
}

/** `namespace/service/port`, and the subset where there is one. */
export function clusterName(
  service: { key: string },
  port: { name: string; number: number | null },
  subset?: string,
): string {
  const portPart = port.name === 'main' || port.number === null ? port.name : String(port.number)
  return `${service.key}/${portPart}${subset === undefined ? '' : `/${subset}`}`
}

/** What a cluster is for: requests, calls that are gRPC whatever the service is, connections, or connections whose TLS the endpoints end. */
export type Carried = 'requests' | 'grpc' | 'tcp' | 'tls'

/** What a cluster is for stands before its name. */
export function carrying(cluster: string, carried: Carried): string {
  return carried === 'requests' ? cluster : `${carried}:${cluster}`
}

export function carriedBy(name: string): { carried: Carried; cluster: string } {
  const carried = (['grpc', 'tcp', 'tls'] as const).find((one) => name.startsWith(`${one}:`)) ?? 'requests'
  return { carried, cluster: carried === 'requests' ? name : name.slice(carried.length + 1) }
}

export function isVisible(exportTo: readonly string[], owner: string, clientNamespace: string): boolean {
  return (
    exportTo.includes('*') ||
    exportTo.includes(clientNamespace) ||
    (exportTo.includes('.') && owner === clientNamespace)
  )
}

const kept = new WeakMap<object, Map<string, unknown>>()

/** A value that follows from resources and definitions alone: computed once until one of them changes. */
export function keep<Value>({ rules }: Mesh, key: string, build: () => Value): Value {
  const values = kept.get(rules) ?? new Map<string, unknown>()
  if (values.size === 0) kept.set(rules, values)
  if (!values.has(key)) values.set(key, build())
  return values.get(key) as Value
}
