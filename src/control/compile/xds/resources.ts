/**
 * Last compile step: nouns to xDS resources, encoded once. A resource is kept as long as the noun that it came from, so
 * that a thousand data planes with the same cluster share its bytes.
 */
import { createHash } from 'node:crypto'
import { fromJson, toBinary } from '@bufbuild/protobuf'
import type { GenMessage } from '@bufbuild/protobuf/codegenv2'
import type { Authorities, Certificate, TrustBundle } from '../../certificates/certificate-source.js'
import { ClusterSchema } from '../../xds/protos/envoy/config/cluster/v3/cluster_pb.js'
import { TypedExtensionConfigSchema } from '../../xds/protos/envoy/config/core/v3/extension_pb.js'
import { ClusterLoadAssignmentSchema } from '../../xds/protos/envoy/config/endpoint/v3/endpoint_pb.js'
import { ListenerSchema } from '../../xds/protos/envoy/config/listener/v3/listener_pb.js'
import { VirtualHostSchema } from '../../xds/protos/envoy/config/route/v3/route_components_pb.js'
import { RouteConfigurationSchema } from '../../xds/protos/envoy/config/route/v3/route_pb.js'
import { SecretSchema } from '../../xds/protos/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import type { Authentication } from '../listener-nouns.js'
import type { MeshNode } from '../mesh/node.js'
import type { Cluster, ClusterEndpoints, HostRoutes, Listener, Origin, RouteTable } from '../nouns.js'
import { anyRegistry, typeUrl } from './any.js'
import { authenticationFilter } from './authentication.js'
import { assignmentJson, clusterJson } from './clusters.js'
import { connectionChains, connectionFilters } from './connections.js'
import { grpcListenerJson, type ListenerContext, listenerJson } from './listeners.js'
import type { NamedFilter } from './named-filter.js'
import { onDemandTable, steeredBy } from './on-demand-hosts.js'
import { type HashOf, routeConfiguration, virtualHost } from './routes.js'
import { certificateSecret, identitySecret, rootsSecret, rootsSecretOf } from './tls.js'

const schemas = {
  clusters: ClusterSchema,
  endpoints: ClusterLoadAssignmentSchema,
  filters: TypedExtensionConfigSchema,
  listeners: ListenerSchema,
  routes: RouteConfigurationSchema,
  virtualHosts: VirtualHostSchema,
  secrets: SecretSchema,
} as const

export type ResourceType = keyof typeof schemas
export const resourceTypes = Object.keys(schemas) as ResourceType[]

/** The URL that stands for a type in xDS. */
export const typeUrls = Object.fromEntries(
  Object.entries(schemas).map(([type, schema]) => [type, typeUrl(schema)]),
) as Record<ResourceType, string>

/** Which mesh resource stands behind a part of an xDS resource. */
export interface Piece {
  origin: Origin
  /** The part as JSON; what a data plane complains about is looked for in it. */
  text: string
}

export interface XdsResource {
  type: ResourceType
  name: string
  json: object
  bytes: Uint8Array
  /** Equal for equal bytes. */
  version: string
  /** What a client that has it asks for next. */
  refs: readonly (readonly [type: ResourceType, name: string])[]
  pieces(): Piece[]
}

type Plane = MeshNode['plane']

export function clusterResource(cluster: Cluster, plane: Plane): XdsResource {
  return once(cluster, plane, () => {
    const json = clusterJson(cluster, plane)
    const pieces = () => cluster.origins.map((origin) => ({ origin, text: JSON.stringify(json) }))
    const refs = [
      ...(cluster.discovery.type === 'mesh' ? [['endpoints', cluster.name] as const] : []),
      ...(plane === 'grpc' ? [] : secretsOf(cluster).map((name) => ['secrets', name] as const)),
    ]
    return encode('clusters', cluster.name, json, pieces, refs)
  })
}

export function endpointsResource(endpoints: ClusterEndpoints): XdsResource {
  return once(endpoints, '', () => encode('endpoints', endpoints.cluster, assignmentJson(endpoints), () => []))
}

export function tableResource(table: RouteTable, plane: Plane, hashOf: HashOf): XdsResource {
  return once(table, plane, () => {
    const json = routeConfiguration(table, plane, hashOf)
    const refs = plane === 'grpc' ? clusterNames(table).map((name) => ['clusters', name] as const) : []
    return encode('routes', table.name, json, () => tablePieces(table, json.virtualHosts ?? []), refs)
  })
}

/** A gRPC client has one table for each service. */
export function hostResource(host: HostRoutes, plane: Plane, hashOf: HashOf): XdsResource {
  return once(host, plane, () => {
    const table: RouteTable = { name: host.name, hosts: [{ ...host, hosts: ['*'] }], authorization: null }
    return tableResource(table, plane, hashOf)
  })
}

/** A table whose hosts are asked for one by one. */
export function onDemandTableResource(table: RouteTable): XdsResource {
  return once(table, 'on demand', () => encode('routes', table.name, onDemandTable(table), () => []))
}

/** The host that `TABLE/HOST` names, as a virtual host of this one name; undefined: there is none. */
export function askedHostResource(
  table: RouteTable,
  name: string,
  plane: Plane,
  hashOf: HashOf,
): XdsResource | undefined {
  const host = name.startsWith(`${table.name}/`) ? name.slice(table.name.length + 1) : ''
  const steering = steeredBy(table, host)
  if (steering === null) return undefined
  return once(steering, `${plane} ${name}`, () => {
    const asked: HostRoutes = { ...steering, name, hosts: [host] }
    const json = virtualHost(asked, plane, hashOf)
    return encode('virtualHosts', name, json, () => tablePieces({ ...table, hosts: [asked] }, [json]))
  })
}

export function listenerResource(listener: Listener, context: ListenerContext): XdsResource {
  const { name, routes } = listener
  return once(listener, `${context.role} ${context.hosts}`, () => {
    const pieces = () => listenerPieces(listener, context)
    const filters = namedFilters(listener, null).map((one) => ['filters', one.name] as const)
    const refs = [...(routes === null ? [] : [['routes', routes] as const]), ...filters]
    return encode('listeners', name, listenerJson(listener, context), pieces, refs)
  })
}

/** The filters that the listener's chains ask for by name. */
export function filterResources(listener: Listener, authentication: Authentication | null): XdsResource[] {
  return namedFilters(listener, authentication).map((filter) =>
    once(filter, '', () => {
      const { name, config, origins } = filter
      const pieces = () => origins.map((origin) => ({ origin, text: JSON.stringify(config) }))
      return encode('filters', name, { name, typedConfig: config }, pieces)
    }),
  )
}

function namedFilters(listener: Listener, authentication: Authentication | null): NamedFilter[] {
  return [...connectionFilters(listener), ...(listener.readsTokens ? [authenticationFilter(authentication)] : [])]
}

export function grpcListenerResource(name: string, routes: string): XdsResource {
  return encode('listeners', name, grpcListenerJson(name, routes), () => [], [['routes', routes]])
}

export function certificateResource(name: string, certificate: Certificate): XdsResource {
  return once(certificate, name, () => {
    const { chain, key } = certificate
    const json = {
      name,
      tlsCertificate: { certificateChain: { inlineString: chain }, privateKey: { inlineString: key } },
    }
    return encode('secrets', name, json, () => [])
  })
}

/** The same for everybody, and asked for by everybody. */
let lastRoots: { bundle: TrustBundle; resource: XdsResource } | null = null

export function rootsResource(bundle: TrustBundle): XdsResource {
  const { roots, revoked, leavesOnly } = bundle
  const last = lastRoots?.bundle
  if (lastRoots !== null && last?.roots === roots && last.revoked === revoked && last.leavesOnly === leavesOnly)
    return lastRoots.resource
  const crl = revoked === '' ? {} : { crl: { inlineString: revoked }, onlyVerifyLeafCertCrl: leavesOnly }
  const json = { name: rootsSecret, validationContext: { trustedCa: { inlineString: roots }, ...crl } }
  const resource = encode('secrets', rootsSecret, json, () => [])
  lastRoots = { bundle, resource }
  return resource
}

export function authoritiesResource(name: string, authorities: Authorities): XdsResource {
  return once(authorities, name, () => {
    const { roots, revoked } = authorities
    const crl = revoked === '' ? {} : { crl: { inlineString: revoked } }
    return encode(
      'secrets',
      name,
      { name, validationContext: { trustedCa: { inlineString: roots }, ...crl } },
      () => [],
    )
  })
}

function secretsOf({ tls }: Cluster): string[] {
  return [tls?.certificate, tls?.roots].flatMap((one) => one?.secret ?? [])
}

/** What a cluster shows and believes, where resources say it themselves or name files of the data plane. */
export function clusterSecrets({ tls, origins }: Cluster): XdsResource[] {
  const secrets = [
    ...(tls?.certificate == null ? [] : [{ noun: tls.certificate, json: certificateSecret(tls.certificate) }]),
    ...(tls?.roots == null ? [] : [{ noun: tls.roots, json: rootsSecretOf(tls.roots) }]),
  ]
  return secrets.flatMap(({ noun, json: content }) => {
    if (content === null) return []
    return once(noun, '', () => {
      const json = { name: noun.secret, ...content }
      const pieces = () => origins.map((origin) => ({ origin, text: JSON.stringify(json) }))
      return encode('secrets', noun.secret, json, pieces)
    })
  })
}

/** An Envoy has every cluster; a gRPC client asks for those that its routes name. */
function clusterNames({ hosts }: RouteTable): string[] {
  const actions = hosts.flatMap(({ routes }) => routes.map(({ action }) => action))
  return [
    ...new Set(actions.flatMap((action) => ('forward' in action ? action.forward.map(({ cluster }) => cluster) : []))),
  ]
}

export { identitySecret, rootsSecret }

function tablePieces(table: RouteTable, hosts: { routes?: { name?: string }[] }[]): Piece[] {
  const ofRoutes = table.hosts.flatMap(({ routes }, host) =>
    routes.flatMap(({ origin, name }) =>
      origin === null
        ? []
        : [{ origin, text: JSON.stringify(hosts[host]?.routes?.filter((one) => one.name === name)) }],
    ),
  )
  const policies = table.authorization?.origins ?? []
  return [...ofRoutes, ...policies.map((origin) => ({ origin, text: JSON.stringify(table.authorization) }))]
}

function listenerPieces(listener: Listener, { trustDomain }: ListenerContext): Piece[] {
  const { telemetry, connections } = listener
  const told = telemetry === null ? [] : [...telemetry.accessLogs, telemetry.tracing]
  return [
    ...connections.flatMap((one) => {
      const text = JSON.stringify(connectionChains(one, listener, trustDomain))
      return one.origin === null ? [] : [{ origin: one.origin, text }]
    }),
    ...told.flatMap((part) => (part?.origin == null ? [] : [{ origin: part.origin, text: JSON.stringify(part) }])),
  ]
}

function encode(
  type: ResourceType,
  name: string,
  json: object,
  pieces: () => Piece[],
  refs: XdsResource['refs'] = [],
): XdsResource {
  const schema = schemas[type] as unknown as GenMessage<never>
  const bytes = toBinary(schema, fromJson(schema, json as never, { registry: anyRegistry }))
  const version = createHash('sha1').update(bytes).digest('base64url').slice(0, 12)
  return { type, name, json, bytes, version, refs, pieces }
}

const encoded = new WeakMap<object, Map<string, XdsResource>>()

function once(noun: object, variant: string, build: () => XdsResource): XdsResource {
  const known = encoded.get(noun) ?? new Map<string, XdsResource>()
  if (known.size === 0) encoded.set(noun, known)
  const resource = known.get(variant) ?? build()
  known.set(variant, resource)
  return resource
}
