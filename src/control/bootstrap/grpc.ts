/** The bootstrap of a proxyless gRPC client (gRFC A27), with its certificates as files that it watches (A29). */
import { type DataPlane, nodeJson } from './data-plane.js'

export interface GrpcPlane extends DataPlane {
  /** The workload's own certificate, key and roots; null: connections to other services are plain. */
  identity: { certificate: string; key: string; roots: string } | null
}

/** Name of the provider that clusters and listeners refer to. */
const identityProvider = 'identity'

export function grpcBootstrap(plane: GrpcPlane): object {
  const { control, controlTls, identity } = plane
  return {
    xds_servers: [{ server_uri: control, channel_creds: [credentials(controlTls)], server_features: ['xds_v3'] }],
    node: nodeJson(plane),
    ...(identity === null
      ? {}
      : {
          certificate_providers: {
            [identityProvider]: {
              plugin_name: 'file_watcher',
              config: {
                certificate_file: identity.certificate,
                private_key_file: identity.key,
                ca_certificate_file: identity.roots,
                refresh_interval: '10s',
              },
            },
          },
        }),
  }
}

function credentials(tls: DataPlane['controlTls']): object {
  if (tls === null) return { type: 'insecure' }
  const own =
    tls.certificate === null || tls.key === null ? {} : { certificate_file: tls.certificate, private_key_file: tls.key }
  return { type: 'tls', config: { ca_certificate_file: tls.ca, ...own } }
}
