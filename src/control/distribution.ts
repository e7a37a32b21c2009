/**
 * The xDS server as the rest of the control plane sees it: started over the mesh, admitting data planes by proof, its
 * verdicts in terms of resources.
 */
import { join } from 'node:path'
import { isLoopback } from '../config/forms/loopback.js'
import type { Tokens } from './access/tokens.js'
import type { CertificateAuthority } from './ca/certificate-authority.js'
import { authorityServices } from './ca/grpc-service.js'
import { type CertificateSource, noCertificates } from './certificates/certificate-source.js'
import { MeshCredentials, type MeshTls } from './certificates/mesh-credentials.js'
import type { Effect } from './compile/effects.js'
import type { MeshNode } from './compile/mesh/node.js'
import { type ControlConfig, readCertificate } from './config/control-config.js'
import { refuseDataPlane } from './data-planes/admission.js'
import type { DataPlane, DataPlanes, Reached, Refusal, Verdict } from './data-planes/data-planes.js'
import { followKeys } from './key-sets/follow-keys.js'
import type { ServerCertificate } from './server/start-server.js'
import type { Distribution } from './start-control.js'
import { originName } from './state/mesh-kinds.js'
import type { MeshSource } from './state/mesh-source.js'
import { issuesOf, type Plane } from './xds/planes.js'
import { type PlaneStatus, startXdsServer, type XdsServer } from './xds/server.js'
import type { Verdict as XdsVerdict } from './xds/verdicts.js'

export interface DistributionParts {
  tokens: Tokens
  /** Of files, or the authority's. */
  certificates: CertificateSource | null
  /** Null: nobody issues certificates here. */
  authority: CertificateAuthority | null
  /** Told of faults of ours. */
  fault: (message: string) => void
  /** Told of what goes wrong elsewhere. */
  say: (message: string) => void
}

export async function startDistribution(
  config: ControlConfig,
  store: MeshSource,
  { tokens, certificates, authority, fault, say }: DistributionParts,
): Promise<Distribution> {
  const { xds, mesh, limits } = config
  const certificate = await readCertificate(config)
  const believed = (tls: ServerCertificate): MeshTls => {
    return { ...tls, roots: [tls.clientCa ?? '', authority?.trust.roots() ?? ''].join('') }
  }
  // Where certificates are issued, somebody comes without one to get the first.
  const asked = authority !== null ? 'ask' : certificate?.clientCa ? 'demand' : 'none'
  const credentials = certificate && new MeshCredentials(believed(certificate), asked)
  const options = {
    ...{ tokens, trustDomain: mesh.trustDomain, open: isLoopback(xds.listen) && !certificate?.clientCa },
    isRevoked: (serial: string) => authority?.revocations.isRevoked(serial) ?? false,
  }
  const services =
    authority === null ? [] : authorityServices({ ...authority, requestsPerSecond: limits.requestsPerSecond, fault })
  const source = followKeys(store, { refreshMs: mesh.keyRefresh, file: join(config.data, 'key-sets.json'), say })
  const server = await startXdsServer({
    ...{ source, address: xds.listen, mesh, certificates: certificates ?? noCertificates, services },
    ...(credentials !== null && { credentials }),
    admit(node, metadata, peer) {
      const [authorization] = metadata.get('authorization')
      const proof = { certificate: peer.sslPeerCertificate ?? null, authorization: authorization?.toString() ?? null }
      return refuseDataPlane(options, node, proof)
    },
    onAccess(look) {
      const ends = [tokens.onChange(look), authority?.revocations.onChange(look)]
      return () => {
        for (const end of ends) end?.()
      }
    },
  })
  authority?.askDataPlanes(() => server.rootsFollowers())
  let presented = certificate
  const renew = (tls: ServerCertificate | null) => {
    presented = tls ?? presented
    if (presented !== null) credentials?.renew(believed(presented))
  }
  const endFollowing = authority?.trust.onChange(() => renew(null))
  const host = xds.listen.slice(0, xds.listen.lastIndexOf(':'))
  return {
    address: `${host}:${server.port}`,
    dataPlanes: describePlanes(server, source),
    renewCertificate: renew,
    async close() {
      endFollowing?.()
      source.close()
      await server.close()
    },
  }
}

/** What the server does not keep: since when a data plane is behind, and what it refused last and when. */
interface Kept {
  behindSinceMs: number | null
  refused: DataPlane['lastRefusal']
}

function describePlanes(server: XdsServer, source: MeshSource): DataPlanes {
  const kept = new WeakMap<Plane, Kept>()
  const look = (plane: Plane): Kept => {
    const before = kept.get(plane) ?? { behindSinceMs: null, refused: null }
    const { answeredRevision: revision, snapshot } = plane.stream
    const behindSinceMs = revision >= (snapshot?.revision ?? 0) ? null : (before.behindSinceMs ?? Date.now())
    const now = { behindSinceMs, refused: refusedBy(plane, revision, before.refused, source) }
    kept.set(plane, now)
    return now
  }
  server.onChange((changed) => {
    for (const plane of changed) look(plane)
  })
  return {
    list: () => server.planes().map((status) => dataPlaneOf(status, look(status.plane))),
    reached(planes) {
      const nodes = planes.flatMap(({ description }) => description ?? [])
      return server.effects(nodes).map(({ node, effects }) => reachedOf(node, effects, source))
    },
    verdicts: (revision) => server.verdicts(revision).map((verdict) => verdictOf(verdict, source)),
    onChange: (listener) => server.onChange(() => listener()),
  }
}

/** The same as before, with its time, where it refuses the same. */
function refusedBy(plane: Plane, revision: number, before: Kept['refused'], source: MeshSource): Kept['refused'] {
  const [first] = refusalsOf({ issues: issuesOf(plane).slice(0, 1) }, source)
  if (first === undefined || (before?.revision === revision && before.message === first.message)) return before
  return { ...first, revision, atMs: Date.now() }
}

function dataPlaneOf(
  { node, connectedForMs, revision, sentRevision }: PlaneStatus,
  { behindSinceMs: since, refused }: Kept,
): DataPlane {
  const { id, plane: kind, namespace, service } = node
  return {
    ...{ node: id, kind, namespace, service, replica: null, connectedAtMs: Date.now() - connectedForMs },
    ...{ sentRevision, ackedRevision: revision, staleMs: since === null ? 0 : Math.max(1, Date.now() - since) },
    lastRefusal: refused,
    description: node,
  }
}

function reachedOf(node: MeshNode, effects: readonly Effect[], source: MeshSource): Reached {
  const { id, plane: kind, namespace, service } = node
  const state = source.current()
  const resources = effects.map(({ parts, notes, ...origin }) => {
    return { resource: originName(origin, state), parts, notes }
  })
  return { node: id, kind, namespace, service, resources }
}

function verdictOf(verdict: XdsVerdict, source: MeshSource): Verdict {
  return { node: verdict.node, state: verdict.state, refusals: refusalsOf(verdict, source) }
}

function refusalsOf({ issues }: Pick<XdsVerdict, 'issues'>, source: MeshSource): Refusal[] {
  return issues.map(({ origin, message }) => {
    const resource = origin === null ? null : originName(origin, source.current())
    return { resource, path: origin?.path ?? null, message }
  })
}
