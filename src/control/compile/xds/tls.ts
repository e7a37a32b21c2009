/** TLS contexts of both sides. Certificates come by SDS (Envoy) or from files that the bootstrap names (gRPC). */

import { isIP } from 'node:net'
import type { TransportSocketJson } from '../../xds/protos/envoy/config/core/v3/base_pb.js'
import type { ConfigSourceJson } from '../../xds/protos/envoy/config/core/v3/config_source_pb.js'
import type {
  CertificateValidationContextJson,
  SubjectAltNameMatcherJson,
} from '../../xds/protos/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import type { SecretJson } from '../../xds/protos/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import {
  type CommonTlsContextJson,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from '../../xds/protos/envoy/extensions/transport_sockets/tls/v3/tls_pb.js'
import type { MeshNode } from '../mesh/node.js'
import type { Cluster, ClusterCertificate, ClusterRoots, ClusterTls, ListenerTls } from '../nouns.js'
import { pack } from './any.js'

/** Names under which a data plane asks for its own certificate and for the roots that it trusts. */
export const identitySecret = 'identity'
export const rootsSecret = 'roots'
/** Where a host's own trusted roots stand on the systems that Envoy is packaged for. */
const systemRoots = '/etc/ssl/certs/ca-certificates.crt'

/** By this name (ALPN) connections in the mesh's own TLS are told from those in TLS of an application; Istio's. */
export const meshProtocol = 'istio'

export const fromAds: ConfigSourceJson = { ads: {}, resourceApiVersion: 'V3' }

/**
 * Names of protocols (ALPN). What is no HTTP has none outside of the mesh: a server that knows others would refuse it. Where the client says
 * what is spoken, Envoy names that.
 */
const protocolNames: Record<Cluster['protocol'], string[]> = {
  tcp: [],
  http1: ['http/1.1'],
  http2: ['h2'],
  downstream: [],
}

export function upstreamTls(
  tls: ClusterTls,
  protocol: Cluster['protocol'],
  plane: MeshNode['plane'],
): TransportSocketJson {
  const names = tls.mode === 'mutual' && protocol === 'tcp' ? [meshProtocol] : protocolNames[protocol]
  const alpn = names.length === 0 ? {} : { alpnProtocols: names }
  const context = tls.mode === 'simple' ? simple(tls) : mutual(tls, plane)
  const sni = plane === 'grpc' ? {} : { sni: tls.serverName }
  const commonTlsContext = plane === 'grpc' ? context : { ...alpn, ...context }
  return {
    name: 'envoy.transport_sockets.tls',
    typedConfig: pack(UpstreamTlsContextSchema, { ...sni, commonTlsContext }),
  }
}

function simple({ verify, allow, serverName, certificate, roots }: ClusterTls): CommonTlsContextJson {
  const shown = certificate === null ? {} : shownCertificate(certificate.secret)
  if (!verify) return shown
  const names = allow.length > 0 ? allow : [serverName]
  const matchTypedSubjectAltNames = names.map((exact): SubjectAltNameMatcherJson => {
    return { sanType: sanTypeOf(exact), matcher: { exact } }
  })
  // As a secret, other roots change no cluster, so that its connections live on.
  if (roots !== null) return { ...shown, ...rootsWith({ matchTypedSubjectAltNames }, roots.secret) }
  return { ...shown, validationContext: { trustedCa: { filename: systemRoots }, matchTypedSubjectAltNames } }
}

function sanTypeOf(name: string): 'URI' | 'IP_ADDRESS' | 'DNS' {
  if (name.includes('://')) return 'URI'
  return isIP(name) === 0 ? 'DNS' : 'IP_ADDRESS'
}

function mutual({ allow }: ClusterTls, plane: MeshNode['plane']): CommonTlsContextJson {
  const names = allow.map((exact): SubjectAltNameMatcherJson => ({ sanType: 'URI', matcher: { exact } }))
  const matching: CertificateValidationContextJson = names.length === 0 ? {} : { matchTypedSubjectAltNames: names }
  if (plane === 'envoy') return { ...shownCertificate(), ...rootsWith(matching) }
  return {
    tlsCertificateProviderInstance: { instanceName: identitySecret },
    validationContext: { caCertificateProviderInstance: { instanceName: identitySecret }, ...matching },
  }
}

export function downstreamTls(tls: ListenerTls, certificates: string[], trustDomain: string): TransportSocketJson {
  const requests = ['h2', 'http/1.1']
  if (tls.mode !== 'none') return mutualTls(trustDomain, requests)
  const tlsCertificateSdsSecretConfigs = certificates.map((name) => ({ name, sdsConfig: fromAds }))
  return {
    name: 'envoy.transport_sockets.tls',
    typedConfig: pack(DownstreamTlsContextSchema, {
      commonTlsContext: { alpnProtocols: requests, tlsCertificateSdsSecretConfigs },
    }),
  }
}

/** The mesh's own TLS; of connections unless it says what is spoken inside. */
export function mutualTls(trustDomain: string, alpnProtocols: string[] = [meshProtocol]): TransportSocketJson {
  const inTrustDomain: CertificateValidationContextJson = {
    matchTypedSubjectAltNames: [{ sanType: 'URI', matcher: { prefix: `spiffe://${trustDomain}/` } }],
  }
  return {
    name: 'envoy.transport_sockets.tls',
    typedConfig: pack(DownstreamTlsContextSchema, {
      commonTlsContext: { alpnProtocols, ...shownCertificate(), ...rootsWith(inTrustDomain) },
      requireClientCertificate: true,
    }),
  }
}

/** TLS that ends here for connections that are forwarded as they are. */
export function terminatingTls(secret: string): TransportSocketJson {
  const commonTlsContext = shownCertificate(secret)
  return { name: 'envoy.transport_sockets.tls', typedConfig: pack(DownstreamTlsContextSchema, { commonTlsContext }) }
}

function shownCertificate(name = identitySecret): CommonTlsContextJson {
  return { tlsCertificateSdsSecretConfigs: [{ name, sdsConfig: fromAds }] }
}

function rootsWith(
  defaultValidationContext: CertificateValidationContextJson,
  name = rootsSecret,
): CommonTlsContextJson {
  const validationContextSdsSecretConfig = { name, sdsConfig: fromAds }
  return { combinedValidationContext: { defaultValidationContext, validationContextSdsSecretConfig } }
}

/** What of a secret resources say themselves: files of the data plane, which it watches; null: it comes from elsewhere. */
export function certificateSecret(certificate: ClusterCertificate): SecretContent | null {
  if ('credential' in certificate) return null
  const { chain, key } = certificate
  return { tlsCertificate: { certificateChain: { filename: chain }, privateKey: { filename: key } } }
}

export function rootsSecretOf(roots: ClusterRoots): SecretContent | null {
  if ('credential' in roots) return null
  if ('pem' in roots) return { validationContext: { trustedCa: { inlineString: roots.pem } } }
  const crl = roots.revoked === null ? {} : { crl: { filename: roots.revoked } }
  return { validationContext: { trustedCa: { filename: roots.file ?? systemRoots }, ...crl } }
}

type SecretContent = Pick<SecretJson, 'tlsCertificate' | 'validationContext'>
