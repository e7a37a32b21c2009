/** Names of header lines: tokens of RFC 9110, section 5.1. */
import * as z from 'zod'

export const headerNameForm = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/

/** Lower case in the end, for they are compared in any case. */
export const headerName = z
  .string()
  .regex(headerNameForm, { error: 'is not a header name (RFC 9110, section 5.1)' })
  .transform((text) => text.toLowerCase())
