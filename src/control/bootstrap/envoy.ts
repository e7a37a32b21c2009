/** The bootstrap of an Envoy: delta xDS on one aggregated stream, its own admin interface, and nothing else. */
import { isIP } from 'node:net'
import { localCluster } from '../compile/mesh/node.js'
import { type DataPlane, nodeJson, splitAddress } from './data-plane.js'

export interface EnvoyPlane extends DataPlane {
  role: 'sidecar' | 'gateway'
  outbound: string | null
  inbound: string | null
  app: string | null
  admin: string | null
  /** State of the world instead of delta. */
  stateOfTheWorld: boolean
  /** Asks for each outbound host when it is first used, instead of holding all; needs delta. */
  onDemandHosts: boolean
  /** Asks for the endpoints of its own service: balancing that looks at zones needs to know them. */
  zoneAware: boolean
}

const controlCluster = 'weft-control'

export function envoyBootstrap(plane: EnvoyPlane): object {
  const { role, outbound, inbound, app, admin, stateOfTheWorld, onDemandHosts, zoneAware } = plane
  const hosts = onDemandHosts ? 'on-demand' : null
  const own = Object.fromEntries(
    Object.entries({ role, outbound, inbound, app, hosts, localCluster: zoneAware ? localCluster : null }).flatMap(
      ([key, value]) => (value === null ? [] : [[key, value]]),
    ),
  )
  const fromAds = { ads: {}, resource_api_version: 'V3' }
  return {
    node: nodeJson(plane, own),
    dynamic_resources: {
      ads_config: {
        api_type: stateOfTheWorld ? 'GRPC' : 'DELTA_GRPC',
        transport_api_version: 'V3',
        set_node_on_first_message_only: true,
        grpc_services: [{ envoy_grpc: { cluster_name: controlCluster } }],
      },
      cds_config: fromAds,
      lds_config: fromAds,
    },
    static_resources: { clusters: [control(plane), ...(zoneAware ? [ownService(fromAds)] : [])] },
    ...(zoneAware ? { cluster_manager: { local_cluster_name: localCluster } } : {}),
    ...(admin === null ? {} : { admin: { address: socketAddress(admin) } }),
  }
}

/** Nobody is asked through it. */
function ownService(edsConfig: object): object {
  return { name: localCluster, type: 'EDS', connect_timeout: '1s', eds_cluster_config: { eds_config: edsConfig } }
}

function control({ control: address, controlTls }: EnvoyPlane): object {
  const { host = '' } = splitAddress(address) ?? {}
  return {
    name: controlCluster,
    type: isIP(host) === 0 ? 'STRICT_DNS' : 'STATIC',
    connect_timeout: '1s',
    load_assignment: {
      cluster_name: controlCluster,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(address) } }] }],
    },
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        // A control plane that is gone without a word is noticed.
        explicit_http_config: { http2_protocol_options: { connection_keepalive: { interval: '30s', timeout: '10s' } } },
      },
    },
    ...(controlTls === null ? {} : { transport_socket: transportSocket(controlTls, host) }),
  }
}

function transportSocket({ ca, certificate, key }: NonNullable<DataPlane['controlTls']>, host: string): object {
  const own =
    certificate === null || key === null
      ? {}
      : { tls_certificates: [{ certificate_chain: { filename: certificate }, private_key: { filename: key } }] }
  const sanType = isIP(host) === 0 ? 'DNS' : 'IP_ADDRESS'
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
      ...(sanType === 'DNS' ? { sni: host } : {}),
      common_tls_context: {
        ...own,
        alpn_protocols: ['h2'],
        validation_context: {
          trusted_ca: { filename: ca },
          match_typed_subject_alt_names: [{ san_type: sanType, matcher: { exact: host } }],
        },
      },
    },
  }
}

function socketAddress(text: string): object {
  const { host = '', port = 0 } = splitAddress(text) ?? {}
  return { socket_address: { address: host, port_value: port } }
}
