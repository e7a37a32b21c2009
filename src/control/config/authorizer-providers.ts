/** Whom data planes ask whether a request passes, as the control plane's configuration declares them. */
import * as z from 'zod'
import { span } from '../resources/span.js'

/** Those that a data plane can answer with. */
const errorStatuses: readonly number[] = [
  ...[400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 423, 424],
  ...[426, 428, 429, 431, 500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511],
]

const headers = z.array(
  z.string().regex(/^(\*|\*?[!#$%&'+.^_`|~0-9a-zA-Z-]+\*?)$/, { error: 'must be a header’s name, text* or *text' }),
)

const fields = {
  service: z.string().min(1).meta({ description: 'Host name or address; data planes reach it themselves' }),
  port: z.int().min(1).max(65_535),
  timeout: span({ minMs: 1 }).default(600_000).meta({ description: 'For its answer' }),
  failOpen: z.boolean().default(false).meta({ description: 'Requests pass where it cannot be asked or answers 5xx' }),
  statusOnError: z.coerce
    .number()
    .refine((status) => errorStatuses.includes(status), { error: 'must be a status from 400 to 599' })
    .default(403)
    .meta({ description: 'Of requests that it could not be asked about' }),
  clearRouteCache: z.boolean().default(false).meta({ description: 'Routes are chosen again after its answer' }),
  includeRequestBodyInCheck: z
    .strictObject({
      maxRequestBytes: z.int().min(1).max(0xffff_ffff),
      allowPartialMessage: z.boolean().default(false).meta({ description: 'A longer one is cut off; else it is 413' }),
      packAsBytes: z.boolean().default(false).meta({ description: 'Over gRPC: as bytes, not as text' }),
    })
    .optional()
    .meta({ description: 'It is told the body; absent: it is not' }),
} as const

const http = z.strictObject({
  ...fields,
  pathPrefix: z
    .string()
    .startsWith('/')
    .optional()
    .transform((prefix = '') => prefix),
  includeRequestHeadersInCheck: headers.default([]).meta({
    description: 'Beside host, method, path, content-length and authorization',
  }),
  includeAdditionalHeadersInCheck: z.record(z.string().min(1), z.string()).default({}),
  headersToUpstreamOnAllow: headers.default([]).meta({ description: 'Of its answer, to the application' }),
  headersToDownstreamOnAllow: headers.default([]).meta({ description: 'Of its answer, to the client' }),
  headersToDownstreamOnDeny: headers.default([]).meta({ description: 'Of its refusal, to the client; empty: all' }),
})

const grpc = z.strictObject(fields)

/** As Istio's mesh configuration has them. */
export const authorizerProviders = {
  envoyExtAuthzHttp: http.optional().meta({ description: 'Who decides for action CUSTOM, asked over HTTP' }),
  envoyExtAuthzGrpc: grpc.optional().meta({
    description: 'Who decides for action CUSTOM, asked over gRPC (envoy.service.auth.v3.Authorization)',
  }),
} as const

export type AuthorizerProvider = z.output<typeof grpc>
export type HttpAuthorizerProvider = z.output<typeof http>
