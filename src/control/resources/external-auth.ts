/** The filter `ExternalAuth` of Gateway API routes (GEP-1494): somebody outside decides whether a request passes. */
import * as z from 'zod'
import { backendRefFields } from './gateway-references.js'

const headers = z
  .array(z.string().regex(/^[!#$%&'*+.^_`|~0-9a-zA-Z-]+$/, { error: 'must be the name of a header' }))
  .max(64)
  .default([])

export const externalAuth = z
  .strictObject({
    protocol: z.enum(['HTTP', 'GRPC']),
    backendRef: z.strictObject(backendRefFields),
    http: z
      .strictObject({
        path: z.string().startsWith('/').max(1024).optional(),
        allowedHeaders: headers,
        allowedResponseHeaders: headers,
      })
      .optional(),
    grpc: z.strictObject({ allowedHeaders: headers }).optional(),
    forwardBody: z.strictObject({ maxSize: z.int().min(0).max(65_535).default(0) }).optional(),
  })
  .superRefine(({ protocol, ...settings }, context) => {
    const other = protocol === 'HTTP' ? 'grpc' : 'http'
    if (settings[other] !== undefined)
      context.addIssue({ code: 'custom', path: [other], message: `does not belong to protocol ${protocol}` })
  })

export type ExternalAuth = z.output<typeof externalAuth>
