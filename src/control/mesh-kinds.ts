/** The kinds of resources that `weft control` takes. */
import { envelopeKinds } from './envelope.js'

const groups: Record<string, readonly string[]> = {
  'gateway.networking.k8s.io': ['HTTPRoute', 'GRPCRoute', 'Gateway', 'ReferenceGrant'],
  'networking.istio.io': ['VirtualService', 'DestinationRule', 'Gateway', 'ServiceEntry', 'WorkloadEntry', 'Sidecar'],
  'security.istio.io': ['PeerAuthentication', 'AuthorizationPolicy'],
}

export const meshKinds = envelopeKinds(
  Object.entries(groups).flatMap(([group, kinds]) => kinds.map((kind) => ({ kind, group }))),
)
