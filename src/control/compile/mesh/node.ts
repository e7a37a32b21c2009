/** A data plane as it says of itself when it connects. `weft bootstrap` writes this down for it. */

export interface MeshNode {
  id: string
  /** Which program it is: what it can do follows from that. */
  plane: 'envoy' | 'grpc'
  role: 'sidecar' | 'gateway'
  namespace: string
  service: string
  /** Service account, the last part of its SPIFFE id. */
  account: string
  labels: Record<string, string>
  region: string
  zone: string
  /** It asks for the endpoints of its own service, so that it knows how many clients share a zone with it. */
  zoneAware: boolean
  /** Where a sidecar listens for its application; null: not at all. */
  outbound: string | null
  /** Where it listens for others, and where its application listens; both or none. */
  inbound: string | null
  app: string | null
  /** `on-demand`: it holds only the outbound hosts that it was asked for, and asks for each (VHDS). */
  hosts: 'all' | 'on-demand'
}

/** Name under which an Envoy asks for the endpoints of its own service. */
export const localCluster = 'local_cluster'

/**
 * What selectors see: its labels, and who it is, so that a policy can be for a service or for this one node. Labels may
 * say another `app`, and not who it is.
 */
export function selectableLabels({
  id,
  service,
  labels,
}: Pick<MeshNode, 'id' | 'service' | 'labels'>): Record<string, string> {
  return { app: service, ...labels, 'weft.io/node': id, 'weft.io/service': service }
}
