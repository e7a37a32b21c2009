/** `Sidecar` (Istio): what a workload reaches and where, and where it is reached itself. */
import { isIP } from 'node:net'
import * as z from 'zod'
import { notYet, notYetMark } from '../../config/forms/not-yet.js'
import { dnsName, labels, port, resourceKind } from './kind.js'
import { connectionPool } from './traffic-policy.js'

const egressHost = z.string().regex(/^(\*|\.|~|[a-z0-9-]+)\/(\*|(\*\.)?[a-zA-Z0-9_][a-zA-Z0-9_.-]*)$/, {
  error: 'must be namespace/host; the namespace may be . or *, the host *.suffix or *',
})

const requestProtocols = ['HTTP', 'HTTP2', 'GRPC'] as const
const connectionProtocols = ['TCP', 'TLS'] as const

/** As Istio has it on hosts where nothing is intercepted; what would be intercepted is refused. */
const captureMode = z
  .string()
  .superRefine((value, context) => {
    if (['DEFAULT', 'NONE'].includes(value)) return
    const known = value === 'IPTABLES'
    const hint = 'nothing is intercepted here: give the listener a bind and a port, and call it there'
    context.addIssue(
      known
        ? { code: 'custom', params: { ...notYetMark, hint }, message: '' }
        : { code: 'custom', message: 'must be one of: DEFAULT, NONE' },
    )
  })
  .optional()

const bind = z.string().refine((text) => isIP(text) !== 0, { error: 'must be an IP address' })

function listenerPort<const Protocols extends readonly [string, ...string[]]>(protocols: Protocols) {
  return z.strictObject({ number: port, protocol: z.enum(protocols), name: z.string().default('') })
}

const egress = z
  .strictObject({
    hosts: z.array(egressHost).min(1),
    port: listenerPort([...requestProtocols, ...connectionProtocols]).optional(),
    bind: bind.optional(),
    captureMode,
  })
  .refine(({ bind: address, port: own }) => address === undefined || own !== undefined, {
    error: 'needs a port beside it',
    path: ['bind'],
  })

/** Where the application listens: `127.0.0.1:PORT` or `[::1]:PORT`. */
const defaultEndpoint = z
  .string()
  .refine((text) => /^(127(\.\d{1,3}){3}|\[::1\]):[1-9]\d{0,4}$/.test(text) && portOf(text) <= 65_535, {
    error: 'must be 127.0.0.1:PORT or [::1]:PORT',
  })

const ingressTls = z.strictObject({
  mode: z.literal('SIMPLE', {
    error: 'must be SIMPLE: what clients of the mesh show is for PeerAuthentication to say',
  }),
  credentialName: dnsName(),
  ...Object.fromEntries(
    ['privateKey', 'serverCertificate', 'caCertificates'].map((name) => [
      name,
      notYet('name a certificate of the control plane: credentialName'),
    ]),
  ),
})

/** The application is asked in what its port says, and once. */
const inboundPool = connectionPool.superRefine(({ http }, context) => {
  const refuse = (key: string, hint: string) =>
    context.addIssue({ code: 'custom', path: ['http', key], params: { ...notYetMark, hint }, message: '' })
  if (http.h2UpgradePolicy !== 'DEFAULT') refuse('h2UpgradePolicy', 'ingress with a port of protocol HTTP2 says it')
  if (http.useClientProtocol) refuse('useClientProtocol', 'remove it: protocol HTTP is asked in what the client spoke')
  if (http.maxRetries !== undefined) refuse('maxRetries', 'remove it: who calls retries, and the workload does not')
})

const ingress = z
  .strictObject({
    port: listenerPort([...requestProtocols, 'HTTPS', ...connectionProtocols]),
    bind: bind.optional(),
    defaultEndpoint,
    tls: ingressTls.optional(),
    connectionPool: inboundPool.optional(),
    captureMode,
  })
  .superRefine(({ port: own, bind: address, defaultEndpoint: endpoint, tls }, context) => {
    if (tls !== undefined && !['HTTPS', 'TLS'].includes(own.protocol))
      context.addIssue({ code: 'custom', path: ['tls'], message: 'needs the protocol HTTPS or TLS' })
    if (tls === undefined && own.protocol === 'HTTPS')
      context.addIssue({ code: 'custom', path: ['tls'], message: 'is needed for the protocol HTTPS' })
    const host = endpoint.slice(0, endpoint.lastIndexOf(':')).replace(/^\[|\]$/g, '')
    const apart = address !== undefined && !['0.0.0.0', '::', host].includes(address)
    if (portOf(endpoint) !== own.number || apart) return
    const message = "is the listener's own port: give it a bind of its own, or let the application listen elsewhere"
    context.addIssue({ code: 'custom', path: ['defaultEndpoint'], message })
  })

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1))
}

const outboundTrafficPolicy = z.strictObject({
  mode: z.string().superRefine((value, context) => {
    if (value === 'REGISTRY_ONLY') return
    const hint = 'nothing is intercepted here: what is no service of the mesh an application calls by itself'
    context.addIssue(
      value === 'ALLOW_ANY'
        ? { code: 'custom', params: { ...notYetMark, hint }, message: '' }
        : { code: 'custom', message: 'must be REGISTRY_ONLY' },
    )
  }),
  egressProxy: notYet(),
})

export const sidecar = resourceKind({
  apiVersions: ['networking.istio.io/v1', 'networking.istio.io/v1beta1', 'networking.istio.io/v1alpha3'],
  kind: 'Sidecar',
  spec: z
    .strictObject({
      workloadSelector: z.strictObject({ labels: labels.default({}) }).optional(),
      egress: z.array(egress).default([]),
      ingress: z.array(ingress).default([]),
      outboundTrafficPolicy: outboundTrafficPolicy.optional(),
      inboundConnectionPool: inboundPool.optional(),
    })
    .superRefine(({ egress: asked, ingress: doors }, context) => {
      const places = asked.map(({ port: own, bind: address = '127.0.0.1' }) => own && `${address} ${own.number}`)
      places.forEach((place, index) => {
        if (place === undefined || places.indexOf(place) === index) return
        const message = 'stands here twice: put the hosts together'
        context.addIssue({ code: 'custom', path: ['egress', index, 'port'], message })
      })
      doors.forEach(({ port: { number } }, index) => {
        if (doors.findIndex((one) => one.port.number === number) === index) return
        context.addIssue({ code: 'custom', path: ['ingress', index, 'port', 'number'], message: 'stands here twice' })
      })
    }),
})

export type SidecarSpec = z.output<typeof sidecar.spec>
export type SidecarEgress = SidecarSpec['egress'][number]
export type SidecarIngress = SidecarSpec['ingress'][number]
