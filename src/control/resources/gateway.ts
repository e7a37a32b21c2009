/** `Gateway` (Gateway API v1): the listeners of the data planes whose service carries the gateway's name. */
import * as z from 'zod'
import { notYetKeys, words } from '../../config/forms/not-yet.js'
import { dnsName, hostPattern, labels, port, resourceKind } from './kind.js'

const tls = z.strictObject({
  mode: z.enum(['Terminate', 'Passthrough']).optional(),
  certificateRefs: z
    .array(
      z.strictObject({
        group: z.literal('').optional(),
        kind: z.literal('Secret').default('Secret'),
        name: dnsName(),
        ...notYetKeys('namespace'),
      }),
    )
    .max(1, { error: 'holds one certificate' })
    .default([]),
  ...notYetKeys('options', 'frontendValidation'),
})

const routeKinds = ['HTTPRoute', 'GRPCRoute', 'TLSRoute', 'TCPRoute'] as const
export type RouteKind = (typeof routeKinds)[number]

const allowedKind = z.strictObject({
  group: z.literal('gateway.networking.k8s.io').default('gateway.networking.k8s.io'),
  kind: z.enum(routeKinds),
})

const listener = z
  .strictObject({
    name: dnsName(),
    hostname: hostPattern().optional(),
    port,
    protocol: words(['HTTP', 'HTTPS', 'TLS', 'TCP'], ['UDP']),
    tls: tls.optional(),
    allowedRoutes: z
      .strictObject({
        namespaces: z
          .strictObject({
            from: words(['Same', 'All'], ['Selector', 'None']).prefault('Same'),
            ...notYetKeys('selector'),
          })
          .prefault({}),
        kinds: z.array(allowedKind).max(8).default([]),
      })
      .prefault({}),
  })
  .superRefine((written, context) => {
    for (const { path, message } of disagreements(written)) context.addIssue({ code: 'custom', path, message })
  })

interface Written {
  protocol: 'HTTP' | 'HTTPS' | 'TLS' | 'TCP'
  hostname?: string | undefined
  tls?: z.output<typeof tls> | undefined
  allowedRoutes: { kinds: z.output<typeof allowedKind>[] }
}

interface Disagreement {
  path: (string | number)[]
  message: string
}

/** The kinds of routes that a listener can carry. What is passed through has nothing but the name that it asks for. */
export function routeKindsOf({ protocol, tls: given }: Pick<Written, 'protocol' | 'tls'>): readonly RouteKind[] {
  if (protocol === 'TCP') return ['TCPRoute']
  if (protocol === 'TLS') return given?.mode === 'Passthrough' ? ['TLSRoute'] : ['TLSRoute', 'TCPRoute']
  return ['HTTPRoute', 'GRPCRoute']
}

/** What a listener says beside its protocol must suit it. */
function disagreements(written: Written): Disagreement[] {
  const { protocol, hostname, allowedRoutes } = written
  const found = tlsDisagreements(written)
  if (protocol === 'TCP' && hostname !== undefined)
    found.push({ path: ['hostname'], message: 'has no effect where the protocol is TCP, which knows no names' })
  const carried = routeKindsOf(written)
  for (const [index, { kind }] of allowedRoutes.kinds.entries()) {
    if (carried.includes(kind)) continue
    const message = `is no route for this listener, which can carry ${carried.join(' and ')}`
    found.push({ path: ['allowedRoutes', 'kinds', index, 'kind'], message })
  }
  return found
}

function tlsDisagreements({ protocol, tls: given }: Written): Disagreement[] {
  const encrypted = protocol === 'HTTPS' || protocol === 'TLS'
  if (encrypted !== (given !== undefined))
    return [{ path: ['tls'], message: 'stands on listeners of protocol HTTPS or TLS, and there it must stand' }]
  if (given === undefined) return []
  const { mode, certificateRefs } = given
  if (protocol === 'HTTPS' && mode === 'Passthrough')
    return [{ path: ['tls', 'mode'], message: 'is Terminate where the protocol is HTTPS; Passthrough is for TLS' }]
  if (protocol === 'TLS' && mode === undefined)
    return [{ path: ['tls', 'mode'], message: 'must be Passthrough or Terminate where the protocol is TLS' }]
  if (mode === 'Passthrough' && certificateRefs.length > 0)
    return [{ path: ['tls', 'certificateRefs'], message: 'have no effect where TLS is passed through' }]
  if (mode !== 'Passthrough' && certificateRefs.length === 0)
    return [{ path: ['tls', 'certificateRefs'], message: 'must name the certificate that the listener shows' }]
  return []
}

export const gateway = resourceKind({
  apiVersions: ['gateway.networking.k8s.io/v1', 'gateway.networking.k8s.io/v1beta1'],
  kind: 'Gateway',
  spec: z.strictObject({
    gatewayClassName: z.literal('weft', { error: 'must be weft' }),
    listeners: z.array(listener).min(1).max(64),
    addresses: z
      .array(
        z.strictObject({ type: z.literal('IPAddress').default('IPAddress'), value: z.union([z.ipv4(), z.ipv6()]) }),
      )
      .max(1)
      .default([]),
    infrastructure: z
      .strictObject({ labels: labels.default({}), ...notYetKeys('annotations', 'parametersRef') })
      .optional(),
    ...notYetKeys('backendTLS', 'tls', 'allowedListeners', 'defaultScope'),
  }),
})

export type GatewaySpec = z.output<typeof gateway.spec>
export type GatewayListener = GatewaySpec['listeners'][number]
