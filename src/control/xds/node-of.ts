/**
 * Who a data plane says it is: the `Node` of its first request, as `weft bootstrap` wrote it. What it does not say has
 * the plainest value; what is malformed is as good as not said.
 */
import type { JsonValue } from '@bufbuild/protobuf'
import { localCluster, type MeshNode } from '../compile/mesh/node.js'
import type { Node } from './protos/envoy/config/core/v3/base_pb.js'

/** Key of the metadata that is ours. */
export const metadataKey = 'weft'

export function nodeOf(node: Node): MeshNode {
  const own = record(node.metadata?.[metadataKey])
  const service = node.cluster
  return {
    id: node.id,
    plane: node.userAgentName.startsWith('gRPC') ? 'grpc' : 'envoy',
    role: text(own.role) === 'gateway' ? 'gateway' : 'sidecar',
    namespace: text(own.namespace) ?? 'default',
    service,
    account: text(own.account) ?? service,
    labels: texts(own.labels),
    region: node.locality?.region ?? '',
    zone: node.locality?.zone ?? '',
    zoneAware: text(own.localCluster) === localCluster,
    outbound: address(own.outbound),
    inbound: address(own.inbound),
    app: address(own.app),
    hosts: text(own.hosts) === 'on-demand' ? 'on-demand' : 'all',
  }
}

function record(value: JsonValue | undefined): Record<string, JsonValue> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}
}

function text(value: JsonValue | undefined): string | null {
  return typeof value === 'string' && value !== '' && value.length <= 256 ? value : null
}

function texts(value: JsonValue | undefined): Record<string, string> {
  return Object.fromEntries(
    Object.entries(record(value)).flatMap(([key, one]) => (typeof one === 'string' ? [[key, one]] : [])),
  )
}

function address(value: JsonValue | undefined): string | null {
  const written = text(value)
  return written !== null && /^(\[[\da-fA-F:]+\]|[\d.]+):\d{1,5}$/.test(written) ? written : null
}
