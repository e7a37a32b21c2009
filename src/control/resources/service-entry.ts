/** `ServiceEntry` (Istio): a service that does not register itself, with its endpoints, its name or a selector. */
import { isIP } from 'node:net'
import * as z from 'zod'
import { notYet, words } from '../../config/forms/not-yet.js'
import { dnsName, labels, port, resourceKind } from './kind.js'

export const protocol = words(['HTTP', 'HTTP2', 'GRPC', 'TCP', 'TLS'], ['HTTPS', 'MONGO', 'GRPC-WEB'])

export const endpointFields = {
  address: z.string().min(1),
  ports: z.record(z.string(), port).default({}),
  labels: labels.default({}),
  locality: z.string().default('').meta({ description: 'region/zone' }),
  weight: z.int().min(0).max(0xffff).optional(),
  serviceAccount: z.string().default(''),
  network: notYet('remove it: an endpoint is reached at its address by whoever may reach the service'),
} as const

/** Nothing is intercepted, so an address is one at which a client's data plane can listen. */
const listenedAddress = z.string().refine((text) => isIP(text) !== 0 && (text.startsWith('127.') || text === '::1'), {
  error:
    "must be a loopback address such as 127.0.0.2: clients' data planes listen there, and nothing else is intercepted",
})

export const serviceEntry = resourceKind({
  apiVersions: ['networking.istio.io/v1', 'networking.istio.io/v1beta1', 'networking.istio.io/v1alpha3'],
  kind: 'ServiceEntry',
  spec: z
    .strictObject({
      hosts: z.array(dnsName()).min(1),
      ports: z
        .array(
          z.strictObject({
            number: port,
            name: z.string().min(1),
            protocol: protocol.prefault('HTTP'),
            targetPort: port.optional(),
          }),
        )
        .min(1),
      location: z.enum(['MESH_EXTERNAL', 'MESH_INTERNAL']).default('MESH_EXTERNAL'),
      resolution: words(['STATIC', 'DNS'], ['NONE', 'DNS_ROUND_ROBIN', 'DYNAMIC_DNS']),
      endpoints: z.array(z.strictObject(endpointFields)).default([]),
      workloadSelector: z.strictObject({ labels: labels.default({}) }).optional(),
      exportTo: z.array(z.string()).default(['*']),
      subjectAltNames: z.array(z.string()).default([]),
      addresses: z.array(listenedAddress).default([]),
    })
    .superRefine(({ resolution, endpoints, workloadSelector, ports, addresses }, context) => {
      if (addresses.length > 0 && !ports.some(({ protocol }) => protocol === 'TCP' || protocol === 'TLS')) {
        const message = 'has an effect on ports of protocol TCP and TLS; what carries requests is called by its name'
        context.addIssue({ code: 'custom', path: ['addresses'], message })
      }
      if (workloadSelector !== undefined && endpoints.length > 0)
        context.addIssue({ code: 'custom', path: ['workloadSelector'], message: 'may not stand beside endpoints' })
      if (resolution === 'STATIC')
        endpoints.forEach(({ address }, index) => {
          if (isAddress(address)) return
          const message = 'must be an IP address where resolution is STATIC'
          context.addIssue({ code: 'custom', path: ['endpoints', index, 'address'], message })
        })
    }),
})

function isAddress(text: string): boolean {
  return z.union([z.ipv4(), z.ipv6()]).safeParse(text).success
}

export type ServiceEntrySpec = z.output<typeof serviceEntry.spec>
