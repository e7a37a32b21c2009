/** Filters of Gateway API routes: each has a type and the one field of that type. */
import * as z from 'zod'
import { notYetMark, words } from '../../config/forms/not-yet.js'
import { externalAuth } from './external-auth.js'
import { backendRefFields } from './gateway-references.js'
import { hostPattern, port } from './kind.js'

const headerPair = z.strictObject({ name: z.string().min(1), value: z.string() })

export const headerChange = z.strictObject({
  set: z.array(headerPair).default([]),
  add: z.array(headerPair).default([]),
  remove: z.array(z.string().min(1)).default([]),
})

const pathRewrite = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('ReplaceFullPath'), replaceFullPath: z.string().startsWith('/') }),
  z.strictObject({ type: z.literal('ReplacePrefixMatch'), replacePrefixMatch: z.string().startsWith('/') }),
])

const requestRedirect = z.strictObject({
  scheme: z.enum(['http', 'https']).optional(),
  hostname: hostPattern().optional(),
  path: pathRewrite.optional(),
  port: port.optional(),
  statusCode: z.union([z.literal(301), z.literal(302), z.literal(303), z.literal(307), z.literal(308)]).default(302),
})

const urlRewrite = z.strictObject({ hostname: hostPattern().optional(), path: pathRewrite.optional() })

const requestMirror = z.strictObject({
  backendRef: z.strictObject(backendRefFields),
  percent: z.number().min(0).max(100).optional(),
  fraction: z.strictObject({ numerator: z.int().min(0), denominator: z.int().min(1).default(100) }).optional(),
})

/** `*` stands for any origin, and within a host for any of its labels. */
const corsOrigin = z
  .string()
  .max(253)
  .regex(/^(\*|[a-z][a-z0-9+.-]*:\/\/(\*|(\*\.)?[A-Za-z0-9.-]+)(:\d{1,5})?)$/, {
    error: 'must be `*` or like https://shop.example, https://*.shop.example:8443',
  })

const cors = z
  .strictObject({
    allowOrigins: z.array(corsOrigin).max(64).default([]),
    allowCredentials: z.boolean().default(false),
    allowMethods: z.array(z.string().min(1)).max(16).default([]),
    allowHeaders: z.array(z.string().min(1)).max(64).default([]),
    exposeHeaders: z.array(z.string().min(1)).max(64).default([]),
    maxAge: z.int().min(1).max(0x7fff_ffff).default(5),
  })
  .superRefine(({ allowCredentials, ...lists }, context) => {
    for (const key of ['allowMethods', 'allowHeaders', 'exposeHeaders'] as const)
      if (allowCredentials && lists[key].includes('*'))
        context.addIssue({
          code: 'custom',
          path: [key],
          message: 'must list them: with allowCredentials browsers take `*` for a name',
        })
  })

const fieldOfType = {
  RequestHeaderModifier: 'requestHeaderModifier',
  ResponseHeaderModifier: 'responseHeaderModifier',
  RequestRedirect: 'requestRedirect',
  URLRewrite: 'urlRewrite',
  RequestMirror: 'requestMirror',
  CORS: 'cors',
  ExternalAuth: 'externalAuth',
} as const

type FilterType = keyof typeof fieldOfType
const typesThatWork = Object.keys(fieldOfType) as [FilterType, ...FilterType[]]

export const routeFilter = z
  .strictObject({
    type: words<FilterType>(typesThatWork, ['ExtensionRef']),
    requestHeaderModifier: headerChange.optional(),
    responseHeaderModifier: headerChange.optional(),
    requestRedirect: requestRedirect.optional(),
    urlRewrite: urlRewrite.optional(),
    requestMirror: requestMirror.optional(),
    cors: cors.optional(),
    externalAuth: externalAuth.optional(),
    extensionRef: z.unknown().optional(),
  })
  .superRefine((filter, context) => {
    const field = fieldOfType[filter.type]
    if (field === undefined) return
    for (const [key, value] of Object.entries(filter)) {
      if (key === 'type' || key === field || value === undefined) continue
      const known = Object.values(fieldOfType).some((name) => name === key)
      const params = known ? {} : notYetMark
      context.addIssue({
        code: 'custom',
        path: [key],
        params,
        message: `does not belong to a filter of type ${filter.type}`,
      })
    }
    if (filter[field] === undefined)
      context.addIssue({ code: 'custom', message: `of type ${filter.type} needs ${field}` })
  })

/** Of two that change the same thing nobody could tell which holds (Gateway API). */
export const routeFilters = z
  .array(routeFilter)
  .default([])
  .superRefine((filters, context) => {
    for (const [at, { type }] of filters.entries())
      if (type !== 'RequestMirror' && filters.findIndex((one) => one.type === type) < at)
        context.addIssue({ code: 'custom', path: [at, 'type'], message: `stands here already: ${type} may stand once` })
  })

/** What is changed for one of several services: the headers. */
const backendFilters = routeFilters.superRefine((filters, context) => {
  for (const [at, { type }] of filters.entries())
    if (type !== 'RequestHeaderModifier' && type !== 'ResponseHeaderModifier')
      context.addIssue({ code: 'custom', path: [at, 'type'], message: `${type} belongs to the filters of the rule` })
})

export const backendRef = z.strictObject({
  ...backendRefFields,
  weight: z.int().min(0).max(1_000_000).default(1),
  filters: backendFilters,
})

export type BackendRef = z.output<typeof backendRef>
export type RouteFilter = z.output<typeof routeFilter>
export type PathRewrite = z.output<typeof pathRewrite>
