/**
 * The xDS server as the rest of the control plane sees it: started over the mesh, admitting data planes by proof, its
 * verdicts in terms of resources.
 */
import { join } from 'node:path'
import { isLoopback } from '../config/forms/loopback.js'
import type { Tokens } from './access/tokens.js'
import type { CertificateAuthority } from './ca/certificate-authority.js'
import { authorityServices } from './ca/grpc-service.js'
import { type CertificateSource, noCertificates } from './certificate-source.js'
import type { Effect } from './compile/effects.js'
import type { MeshNode } from './compile/mesh/node.js'
import { type ControlConfig, readCertificate } from './control-config.js'
import type { DataPlane, DataPlanes, Reached, Refusal, Verdict } from './data-planes.js'
import { followKeys } from './key-sets/follow-keys.js'
import { MeshCredentials, type MeshTls } from './mesh-credentials.js'
import { originName } from './mesh-kinds.js'
import type { MeshSource } from './mesh-source.js'
import type { ServerCertificate } from './server/start-server.js'
import type { Distribution } from './start-control.js'
import { type PlaneStatus, startXdsServer, type XdsServer } from './xds/server.js'
import type { Verdict as XdsVerdict } from './xds/verdicts.js'
import { refuseDataPlane } from './xds-admission.js'

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

/** Keeps what the server does not: since when each is behind, and what it refused last and when. */
function describePlanes(server: XdsServer, source: MeshSource): DataPlanes {
  const behindSinceMs = new Map<string, number>()
  const refused = new Map<string, NonNullable<DataPlane['lastRefusal']>>()
  const look = () => {
    const planes = server.planes()
    for (const { node, revision, sentRevision } of planes) {
      if (revision >= sentRevision) behindSinceMs.delete(node.id)
      else if (!behindSinceMs.has(node.id)) behindSinceMs.set(node.id, Date.now())
    }
    for (const verdict of server.verdicts(0)) {
      const [first] = refusalsOf(verdict, source)
      const known = refused.get(verdict.node)
      if (first === undefined || (known?.revision === verdict.revision && known.message === first.message)) continue
      refused.set(verdict.node, { ...first, revision: verdict.revision, atMs: Date.now() })
    }
    const connected = new Set(planes.map(({ node }) => node.id))
    for (const kept of [behindSinceMs, refused]) for (const id of kept.keys()) if (!connected.has(id)) kept.delete(id)
  }
  server.onChange(look)
  return {
    list() {
      look()
      return server.planes().map((plane) => dataPlaneOf(plane, behindSinceMs, refused))
    },
    reached: () => server.effects().map(({ node, effects }) => reachedOf(node, effects, source)),
    verdicts: (revision) => server.verdicts(revision).map((verdict) => verdictOf(verdict, source)),
    onChange: (listener) => server.onChange(listener),
  }
}

function dataPlaneOf(
  { node, connectedForMs, revision, sentRevision }: PlaneStatus,
  behindSinceMs: ReadonlyMap<string, number>,
  refused: ReadonlyMap<string, NonNullable<DataPlane['lastRefusal']>>,
): DataPlane {
  const { id, plane: kind, namespace, service } = node
  const since = behindSinceMs.get(id)
  return {
    ...{ node: id, kind, namespace, service, replica: null, connectedAtMs: Date.now() - connectedForMs },
    ...{ sentRevision, ackedRevision: revision, staleMs: since === undefined ? 0 : Math.max(1, Date.now() - since) },
    lastRefusal: refused.get(id) ?? null,
  }
}

function reachedOf(node: MeshNode, effects: Effect[], source: MeshSource): Reached {
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

function refusalsOf({ issues }: XdsVerdict, source: MeshSource): Refusal[] {
  return issues.map(({ origin, message }) => {
    const resource = origin === null ? null : originName(origin, source.current())
    return { resource, path: origin?.path ?? null, message }
  })
}
