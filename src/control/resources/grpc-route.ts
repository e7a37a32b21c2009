/** `GRPCRoute` (Gateway API v1): rules for gRPC calls by service and method. */
import * as z from 'zod'
import { notYetKeys } from '../../config/forms/not-yet.js'
import { backendRef, routeFilters } from './gateway-filters.js'
import { hostsHaveAMeaning, hostsWithoutMeaning, parentRef } from './gateway-references.js'
import { hostPattern, resourceKind } from './kind.js'
import { sessionPersistence, sessionsHaveAPlace } from './session-persistence.js'

const match = z.strictObject({
  method: z
    .strictObject({
      type: z.enum(['Exact', 'RegularExpression']).default('Exact'),
      service: z.string().min(1).optional(),
      method: z.string().min(1).optional(),
    })
    .optional(),
  headers: z
    .array(
      z.strictObject({
        type: z.enum(['Exact', 'RegularExpression']).default('Exact'),
        name: z.string().min(1).max(256),
        value: z.string().max(4096),
      }),
    )
    .max(16)
    .default([]),
})

const rule = z
  .strictObject({
    name: z.string().optional(),
    matches: z.array(match).max(64).default([]),
    filters: routeFilters,
    backendRefs: z.array(backendRef).max(16).default([]),
    sessionPersistence: sessionPersistence.optional(),
  })
  .superRefine(sessionsHaveAPlace)

export const grpcRoute = resourceKind({
  apiVersions: ['gateway.networking.k8s.io/v1'],
  kind: 'GRPCRoute',
  spec: z
    .strictObject({
      parentRefs: z.array(parentRef).min(1).max(32),
      hostnames: z.array(hostPattern()).max(16).default([]),
      rules: z.array(rule).min(1).max(64),
      ...notYetKeys('useDefaultGateways'),
    })
    .refine(hostsHaveAMeaning, hostsWithoutMeaning),
})

export type GrpcRouteSpec = z.output<typeof grpcRoute.spec>
