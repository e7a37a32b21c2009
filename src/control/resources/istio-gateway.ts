/** `Gateway` (Istio): the servers of the data planes that its selector finds. */
import * as z from 'zod'
import { notYetKeys, words } from '../../config/forms/not-yet.js'
import { dnsName, labels, port, resourceKind } from './kind.js'

const server = z
  .strictObject({
    port: z.strictObject({
      number: port,
      name: z.string().min(1),
      protocol: words(['HTTP', 'HTTPS', 'HTTP2', 'GRPC', 'TLS', 'TCP'], ['MONGO']),
      ...notYetKeys('targetPort'),
    }),
    hosts: z.array(z.string().min(1)).min(1),
    tls: z
      .strictObject({
        mode: words(
          ['SIMPLE', 'PASSTHROUGH'],
          ['MUTUAL', 'AUTO_PASSTHROUGH', 'ISTIO_MUTUAL', 'OPTIONAL_MUTUAL'],
        ).prefault('SIMPLE'),
        credentialName: dnsName().optional(),
        httpsRedirect: z.boolean().default(false),
        ...notYetKeys('serverCertificate', 'privateKey', 'caCertificates', 'subjectAltNames', 'minProtocolVersion'),
        ...notYetKeys('maxProtocolVersion', 'cipherSuites', 'verifyCertificateSpki', 'verifyCertificateHash'),
      })
      .optional(),
    name: z.string().optional(),
    ...notYetKeys('bind', 'defaultEndpoint'),
  })
  .superRefine(({ port: { protocol }, tls }, context) => {
    const say = (message: string) => context.addIssue({ code: 'custom', path: ['tls'], message })
    const encrypted = protocol === 'HTTPS' || protocol === 'TLS'
    const passing = tls?.mode === 'PASSTHROUGH'
    if (encrypted && !passing && tls?.credentialName === undefined)
      say(`a server of protocol ${protocol} needs a credentialName`)
    if (passing && (!encrypted || tls?.credentialName !== undefined))
      say('mode PASSTHROUGH is for the protocols TLS and HTTPS, and shows no certificate')
    if (protocol === 'TCP' && tls !== undefined) say('has no effect where the protocol is TCP; write TLS')
  })

export const istioGateway = resourceKind({
  apiVersions: ['networking.istio.io/v1', 'networking.istio.io/v1beta1', 'networking.istio.io/v1alpha3'],
  kind: 'Gateway',
  spec: z.strictObject({ selector: labels.default({}), servers: z.array(server).min(1) }),
})

export type IstioGatewaySpec = z.output<typeof istioGateway.spec>
