/** `VirtualService` (Istio): rules for the requests of its hosts, in the order of its list. */
import * as z from 'zod'
import { notYetKeys } from '../../config/forms/not-yet.js'
import { hostPattern, labels, port, resourceKind } from './kind.js'
import { span } from './span.js'
import { directResponse, redirect } from './virtual-service-answers.js'
import { connectionParts, destination, strangeNames } from './virtual-service-connections.js'
import { delegate, delegatesByPlainText, delegatesHaveARoot } from './virtual-service-delegates.js'

/** In the order of their numbers. */
export const grpcStatuses = [
  ...(['OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS'] as const),
  ...(['PERMISSION_DENIED', 'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE'] as const),
  ...(['UNIMPLEMENTED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS', 'UNAUTHENTICATED'] as const),
] as const

/** Exactly one way to compare. An empty `exact` is allowed; Istio writes presence as an empty object. */
const text = z.strictObject({
  exact: z.string().optional(),
  prefix: z.string().optional(),
  regex: z.string().optional(),
})
const textMatch = text.refine((match) => Object.values(match).filter((value) => value !== undefined).length === 1, {
  error: 'needs exactly one of exact, prefix, regex',
})
const headerMatch = text.refine((match) => Object.values(match).filter((value) => value !== undefined).length <= 1, {
  error: 'needs at most one of exact, prefix, regex',
})

const match = z.strictObject({
  name: z.string().optional(),
  uri: textMatch.optional(),
  method: textMatch.optional(),
  authority: textMatch.optional(),
  scheme: textMatch.optional(),
  headers: z.record(z.string(), headerMatch).default({}),
  withoutHeaders: z.record(z.string(), headerMatch).default({}),
  queryParams: z.record(z.string(), headerMatch).default({}),
  ignoreUriCase: z.boolean().default(false),
  port: port.optional(),
  sourceLabels: labels.default({}),
  sourceNamespace: z.string().optional(),
  gateways: z.array(z.string()).optional(),
  statPrefix: z.string().min(1).optional(),
})

const headerOperations = z.strictObject({
  set: z.record(z.string(), z.string()).default({}),
  add: z.record(z.string(), z.string()).default({}),
  remove: z.array(z.string()).default([]),
})
const headers = z.strictObject({ request: headerOperations.optional(), response: headerOperations.optional() })

const percentage = z.strictObject({ value: z.number().min(0).max(100) })

/** What Envoy tries again; a word that it does not know it would pass over in silence. */
const retryConditions = [
  ...['5xx', 'gateway-error', 'reset', 'reset-before-request', 'connect-failure', 'refused-stream'],
  ...[
    'envoy-ratelimited',
    'retriable-4xx',
    'retriable-status-codes',
    'retriable-headers',
    'http3-post-connect-failure',
  ],
  ...['cancelled', 'deadline-exceeded', 'internal', 'resource-exhausted', 'unavailable'],
]

const retryOn = z.string().superRefine((text, context) => {
  for (const word of text.split(',').map((one) => one.trim())) {
    if (word === '' || /^[1-5]\d{2}$/.test(word) || retryConditions.includes(word)) continue
    const known = `a status code, ${retryConditions.join(', ')}`
    context.addIssue({ code: 'custom', message: `${JSON.stringify(word)} is no condition of a retry; known: ${known}` })
  }
})

const retries = z.strictObject({
  attempts: z.int().min(0).max(100),
  perTryTimeout: span({ minMs: 1 }).optional(),
  retryOn: retryOn.default(''),
  backoff: span({ minMs: 1 }).optional(),
  retryIgnorePreviousHosts: z.boolean().default(true),
  retryRemoteLocalities: z.boolean().default(false),
})

const fault = z.strictObject({
  delay: z
    .strictObject({
      fixedDelay: span({ minMs: 1 }),
      percentage: percentage.prefault({ value: 100 }),
      ...notYetKeys('percent', 'exponentialDelay'),
    })
    .optional(),
  abort: z
    .strictObject({
      httpStatus: z.int().min(200).max(599).optional(),
      grpcStatus: z.enum(grpcStatuses).optional(),
      percentage: percentage.prefault({ value: 100 }),
      ...notYetKeys('http2Error'),
    })
    .refine(({ httpStatus, grpcStatus }) => (httpStatus === undefined) !== (grpcStatus === undefined), {
      error: 'needs exactly one of httpStatus, grpcStatus',
    })
    .optional(),
})

const corsPolicy = z.strictObject({
  allowOrigins: z.array(textMatch).default([]),
  allowMethods: z.array(z.string()).default([]),
  allowHeaders: z.array(z.string()).default([]),
  exposeHeaders: z.array(z.string()).default([]),
  maxAge: span().optional(),
  allowCredentials: z.boolean().optional(),
  ...notYetKeys('allowOrigin', 'unmatchedPreflights'),
})

const httpRule = z.strictObject({
  name: z.string().optional(),
  match: z.array(match).default([]),
  route: z
    .array(
      z.strictObject({ destination, weight: z.int().min(0).max(1_000_000).default(0), headers: headers.optional() }),
    )
    .default([]),
  redirect: redirect.optional(),
  directResponse: directResponse.optional(),
  rewrite: z
    .strictObject({
      uri: z.string().optional(),
      authority: z.string().optional(),
      uriRegexRewrite: z.strictObject({ match: z.string().min(1), rewrite: z.string() }).optional(),
    })
    .optional(),
  timeout: span().optional(),
  retries: retries.optional(),
  fault: fault.optional(),
  mirror: destination.optional(),
  mirrorPercentage: percentage.optional(),
  mirrors: z.array(z.strictObject({ destination, percentage: percentage.prefault({ value: 100 }) })).default([]),
  corsPolicy: corsPolicy.optional(),
  headers: headers.optional(),
  delegate: delegate.optional(),
  ...notYetKeys('mirrorPercent'),
})

/** One thing answers: endpoints, a redirect, the proxy itself, or what another VirtualService says. */
const answered = httpRule
  .refine(
    ({ route, redirect, directResponse, delegate }) =>
      [route.length > 0, ...[redirect, directResponse, delegate].map((one) => one !== undefined)].filter(Boolean)
        .length === 1,
    { error: 'needs exactly one of route, redirect, directResponse, delegate' },
  )
  .refine(({ match, redirect }) => redirect?.prefixRewrite === undefined || !match.some(({ uri }) => uri?.regex), {
    error: 'replaces the path that a match names by exact or prefix; a regex names none',
    path: ['redirect', 'prefixRewrite'],
  })
  .superRefine(delegatesByPlainText)

export const virtualService = resourceKind({
  apiVersions: ['networking.istio.io/v1', 'networking.istio.io/v1beta1', 'networking.istio.io/v1alpha3'],
  kind: 'VirtualService',
  spec: z
    .strictObject({
      hosts: z.array(hostPattern()).default([]),
      gateways: z.array(z.string().min(1)).default(['mesh']),
      http: z.array(answered).default([]),
      exportTo: z.array(z.string()).default(['*']),
      ...connectionParts,
    })
    .superRefine((spec, context) => {
      const { hosts, http, tls, tcp } = spec
      if (hosts.length === 0) return delegatesHaveARoot(spec, context)
      if (http.length + tls.length + tcp.length === 0)
        context.addIssue({ code: 'custom', path: ['http'], message: 'needs a rule, here or in tls or tcp' })
      for (const path of strangeNames(hosts, tls))
        context.addIssue({ code: 'custom', path: ['tls', ...path], message: 'is for none of the hosts' })
    }),
})

export type VirtualServiceSpec = z.output<typeof virtualService.spec>
export type VirtualServiceRule = VirtualServiceSpec['http'][number]
export type VirtualServiceMatch = VirtualServiceRule['match'][number]
