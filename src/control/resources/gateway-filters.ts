/** Filters of Gateway API routes: each has a type and the one field of that type. */
import * as z from 'zod'
import { notYetMark, words } from '../../config/forms/not-yet.js'
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

const fieldOfType = {
  RequestHeaderModifier: 'requestHeaderModifier',
  ResponseHeaderModifier: 'responseHeaderModifier',
  RequestRedirect: 'requestRedirect',
  URLRewrite: 'urlRewrite',
  RequestMirror: 'requestMirror',
} as const

type FilterType = keyof typeof fieldOfType
const typesThatWork = Object.keys(fieldOfType) as [FilterType, ...FilterType[]]

export const routeFilter = z
  .strictObject({
    type: words<FilterType>(typesThatWork, ['CORS', 'ExternalAuth', 'ExtensionRef']),
    requestHeaderModifier: headerChange.optional(),
    responseHeaderModifier: headerChange.optional(),
    requestRedirect: requestRedirect.optional(),
    urlRewrite: urlRewrite.optional(),
    requestMirror: requestMirror.optional(),
    cors: z.unknown().optional(),
    externalAuth: z.unknown().optional(),
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

export const routeFilters = z.array(routeFilter).default([])
export type RouteFilter = z.output<typeof routeFilter>
export type PathRewrite = z.output<typeof pathRewrite>
