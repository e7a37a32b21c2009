/** Gathers what the checks ask about. Whatever cannot be found out is said as that, and never keeps the others from it. */
import { stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { describeAuthority, describeChain, type ShownLink } from '../ca/status.js'
import { configMap } from '../resources/config-map.js'
import type { ApiContext } from '../server/endpoint.js'
import type { MeshResource, MeshState } from '../state/mesh-source.js'
import { resourceName } from '../state/resource-kinds.js'
import type { Facts } from './check.js'

/** Kinds that steer data planes by themselves; the others are named by these. */
const steering = [
  ...['HTTPRoute', 'GRPCRoute', 'Gateway', 'VirtualService', 'DestinationRule', 'Sidecar'],
  ...['PeerAuthentication', 'AuthorizationPolicy', 'BackendTLSPolicy'],
  ...['RequestAuthentication', 'Telemetry'],
]

export async function gatherFacts(context: ApiContext): Promise<Facts> {
  const { store, audit, tokens, registry, dataPlanes, authority, trustDomain, kinds, place } = context
  const nowMs = context.nowMs()
  const state = place.source.current()
  const planes = dataPlanes.list()
  const roots = authority === null ? (place.certificates.roots()?.roots ?? '') : ''
  return {
    nowMs,
    store: store.status(),
    disk: await room(place.data),
    auditFault: audit.fault(),
    firstTokenAgeMs: await age(join(place.data, 'admin.token'), nowMs),
    tokens: tokens.all(),
    operatorsByCertificate: place.operatorsByCertificate,
    serverLinks: describeChain('server', context.ownChain() ?? '', nowMs),
    open: place.open,
    certificates: authority !== null ? 'authority' : roots === '' ? 'none' : 'files',
    rootLinks: describeChain('root', roots, nowMs),
    serviceRootLinks: state.resources.flatMap((resource) => authoritiesOf(resource, nowMs)),
    authority: authority === null ? null : describeAuthority(authority, trustDomain, nowMs),
    registry: registry.status(),
    lonelyServices: lonely(state),
    wantCertificates: state.resources.filter(wantsCertificates).map(resourceName),
    dataPlanes: planes,
    reached: dataPlanes.reached(planes),
    resources: state.resources.filter(({ kind }) => steering.includes(kind)).map(resourceName),
    notices: kinds.review(state),
  }
}

async function room(folder: string): Promise<Facts['disk']> {
  try {
    const { bsize, blocks, bavail } = await statfs(folder)
    return { freeBytes: bsize * bavail, totalBytes: bsize * blocks }
  } catch {
    return null
  }
}

async function age(file: string, nowMs: number): Promise<number | null> {
  try {
    return nowMs - (await stat(file)).mtimeMs
  } catch {
    return null
  }
}

function lonely({ workloads }: MeshState): string[] {
  const well = new Map<string, boolean>()
  for (const { namespace, service, health } of workloads) {
    const name = `${namespace}/${service}`
    well.set(name, well.get(name) === true || health === 'healthy')
  }
  return [...well].filter(([, isWell]) => !isWell).map(([name]) => name)
}

function authoritiesOf(resource: MeshResource, nowMs: number): ShownLink[] {
  const said = resource.kind === configMap.kind ? configMap.spec.safeParse(resource.spec) : null
  return said?.success ? describeChain(resourceName(resource), said.data['ca.crt'], nowMs) : []
}

/** Mutual TLS that is asked for in words; PERMISSIVE doors do without. */
function wantsCertificates({ kind, spec }: MeshResource): boolean {
  if (kind === 'PeerAuthentication') return (spec as { mtls?: { mode?: string } } | null)?.mtls?.mode === 'STRICT'
  const policy = (spec as { trafficPolicy?: { tls?: { mode?: string } } } | null)?.trafficPolicy
  return kind === 'DestinationRule' && policy?.tls?.mode === 'ISTIO_MUTUAL'
}
