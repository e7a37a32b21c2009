/** `HTTPRoute` (Gateway API v1): rules for the requests of a service or of a gateway's listener. */
import * as z from 'zod'
import { notYetKeys } from '../../config/forms/not-yet.js'
import { backendRef, routeFilters } from './gateway-filters.js'
import { hostsHaveAMeaning, hostsWithoutMeaning, parentRef } from './gateway-references.js'
import { hostPattern, resourceKind } from './kind.js'
import { sessionPersistence, sessionsHaveAPlace } from './session-persistence.js'
import { span } from './span.js'

const nameMatch = z.strictObject({
  type: z.enum(['Exact', 'RegularExpression']).default('Exact'),
  name: z.string().min(1).max(256),
  value: z.string().max(4096),
})

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'] as const

const match = z.strictObject({
  path: z
    .strictObject({
      type: z.enum(['Exact', 'PathPrefix', 'RegularExpression']).default('PathPrefix'),
      value: z.string().max(1024).default('/'),
    })
    .refine(({ type, value }) => type === 'RegularExpression' || value.startsWith('/'), {
      error: 'must start with /',
      path: ['value'],
    })
    .optional(),
  headers: z.array(nameMatch).max(16).default([]),
  queryParams: z.array(nameMatch).max(16).default([]),
  method: z.enum(methods).optional(),
})

const rule = z
  .strictObject({
    name: z.string().optional(),
    matches: z.array(match).max(64).default([]),
    filters: routeFilters,
    backendRefs: z.array(backendRef).max(16).default([]),
    timeouts: z.strictObject({ request: span().optional(), backendRequest: span().optional() }).prefault({}),
    retry: z
      .strictObject({
        codes: z.array(z.int().min(400).max(599)).default([]),
        attempts: z.int().min(0).max(100).default(1),
        backoff: span({ minMs: 1 }).optional(),
      })
      .optional(),
    sessionPersistence: sessionPersistence.optional(),
  })
  .superRefine(sessionsHaveAPlace)

export const httpRoute = resourceKind({
  apiVersions: ['gateway.networking.k8s.io/v1', 'gateway.networking.k8s.io/v1beta1'],
  kind: 'HTTPRoute',
  spec: z
    .strictObject({
      parentRefs: z.array(parentRef).min(1).max(32),
      hostnames: z.array(hostPattern()).max(16).default([]),
      rules: z
        .array(rule)
        .min(1)
        .max(64)
        .prefault([{ matches: [] }]),
      ...notYetKeys('useDefaultGateways'),
    })
    .refine(hostsHaveAMeaning, hostsWithoutMeaning),
})

export type HttpRouteSpec = z.output<typeof httpRoute.spec>
export type HttpRouteRule = HttpRouteSpec['rules'][number]
