/** What a rule of a VirtualService answers without an endpoint: a redirect, or a response of the proxy's own. */
import * as z from 'zod'
import { port } from './kind.js'

export const redirect = z
  .strictObject({
    uri: z.string().optional(),
    prefixRewrite: z.string().startsWith('/').optional(),
    authority: z.string().optional(),
    port: port.optional(),
    derivePort: z.enum(['FROM_PROTOCOL_DEFAULT', 'FROM_REQUEST_PORT']).optional(),
    scheme: z.enum(['http', 'https']).optional(),
    redirectCode: z
      .union([z.literal(301), z.literal(302), z.literal(303), z.literal(307), z.literal(308)])
      .default(301),
  })
  .refine(({ uri, prefixRewrite }) => uri === undefined || prefixRewrite === undefined, {
    error: 'replaces what uri replaces: write one of the two',
    path: ['prefixRewrite'],
  })
  .refine(({ port, derivePort }) => port === undefined || derivePort === undefined, {
    error: 'says what port says: write one of the two',
    path: ['derivePort'],
  })

/** The longest response of its own that Envoy takes, in bytes. */
const maxBytes = 4096

const short = (encoding: 'utf8' | 'base64') => (text: string) => Buffer.byteLength(text, encoding) <= maxBytes
const tooLong = { error: `must be at most ${maxBytes} bytes` }

const body = z
  .strictObject({
    string: z.string().refine(short('utf8'), tooLong).optional(),
    bytes: z.base64({ error: 'must be base64' }).refine(short('base64'), tooLong).optional(),
  })
  .refine(({ string, bytes }) => string === undefined || bytes === undefined, {
    error: 'needs one of string, bytes',
  })

export const directResponse = z.strictObject({ status: z.int().min(200).max(599), body: body.optional() })

export type RedirectRule = z.output<typeof redirect>
