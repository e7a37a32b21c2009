/** `Gateway` (Gateway API v1): the listeners of the data planes whose service carries the gateway's name. */
import * as z from 'zod'
import { notYetKeys, words } from '../../config/forms/not-yet.js'
import { dnsName, hostPattern, labels, port, resourceKind } from './kind.js'

const tls = z.strictObject({
  mode: words(['Terminate'], ['Passthrough']).prefault('Terminate'),
  certificateRefs: z
    .array(
      z.strictObject({
        group: z.literal('').optional(),
        kind: z.literal('Secret').default('Secret'),
        name: dnsName(),
        ...notYetKeys('namespace'),
      }),
    )
    .length(1),
  ...notYetKeys('options', 'frontendValidation'),
})

const listener = z
  .strictObject({
    name: dnsName(),
    hostname: hostPattern().optional(),
    port,
    protocol: words(['HTTP', 'HTTPS'], ['TLS', 'TCP', 'UDP']),
    tls: tls.optional(),
    allowedRoutes: z
      .strictObject({
        namespaces: z
          .strictObject({
            from: words(['Same', 'All'], ['Selector', 'None']).prefault('Same'),
            ...notYetKeys('selector'),
          })
          .prefault({}),
        ...notYetKeys('kinds'),
      })
      .prefault({}),
  })
  .refine(({ protocol, tls: given }) => (protocol === 'HTTPS') === (given !== undefined), {
    error: 'stands on listeners of protocol HTTPS, and there it must stand',
    path: ['tls'],
  })

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
