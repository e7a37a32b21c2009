/** The PROXY protocol towards endpoints: a header before all else, whatever transport comes after it. */
import type { TransportSocketJson } from '../../xds/protos/envoy/config/core/v3/base_pb.js'
import { ProxyProtocolUpstreamTransportSchema } from '../../xds/protos/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb.js'
import { RawBufferSchema } from '../../xds/protos/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.js'
import type { Cluster } from '../nouns.js'
import { pack } from './any.js'

export function afterProxyHeader(
  version: NonNullable<Cluster['proxyProtocol']>,
  inner: TransportSocketJson | null,
): TransportSocketJson {
  const plain = { name: 'envoy.transport_sockets.raw_buffer', typedConfig: pack(RawBufferSchema, {}) }
  const config = { version: version === 'v1' ? 'V1' : 'V2' } as const
  return {
    name: 'envoy.transport_sockets.upstream_proxy_protocol',
    typedConfig: pack(ProxyProtocolUpstreamTransportSchema, { config, transportSocket: inner ?? plain }),
  }
}
