/** References of the Gateway API: to the parent that a route hangs on, and to the services that it sends requests to. */
import * as z from 'zod'
import { notYetKeys } from '../../config/forms/not-yet.js'
import { dnsName, namespace, port } from './kind.js'

const gatewayGroup = 'gateway.networking.k8s.io'

export const parentRef = z
  .strictObject({
    group: z.enum(['', 'core', gatewayGroup]).optional(),
    kind: z.enum(['Gateway', 'Service']).default('Gateway'),
    name: dnsName(),
    namespace: namespace.optional(),
    port: port.optional(),
    sectionName: z.string().optional(),
  })
  .transform(({ group: _, ...ref }) => ref)

export const backendRefFields = {
  group: z.enum(['', 'core']).optional(),
  kind: z.enum(['Service']).default('Service'),
  name: dnsName(),
  namespace: namespace.optional(),
  port,
} as const

export const targetRef = z.strictObject({
  group: z.enum(['', 'core', gatewayGroup]).optional(),
  kind: z.enum(['Gateway', 'Service']),
  name: dnsName(),
  ...notYetKeys('namespace', 'sectionName'),
})

export type ParentRef = z.output<typeof parentRef>

/** A service is called by its own names; host names are for the gateways that a route hangs on. */
export function hostsHaveAMeaning({
  parentRefs,
  hostnames,
}: {
  parentRefs: ParentRef[]
  hostnames: string[]
}): boolean {
  return hostnames.length === 0 || parentRefs.some(({ kind }) => kind === 'Gateway')
}

export const hostsWithoutMeaning = {
  error: 'have no effect on a Service, which is called by its own names; they are for a Gateway',
  path: ['hostnames'],
}
