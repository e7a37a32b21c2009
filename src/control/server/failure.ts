/** From an error to the status and body of an answer: the only such table. */
import { type Code, WeftError } from '../../errors.js'

const statuses: Partial<Record<Code, number>> = {
  WEFT_STORE_CONFLICT: 409,
  WEFT_STORE_NOT_LEADER: 307,
  WEFT_STORE_UNREACHABLE: 503,
  WEFT_STORE_UNWRITABLE: 507,
  WEFT_STORE_TOO_LARGE: 413,
  WEFT_STORE_LOCKED: 503,
  WEFT_STORE_CLOSED: 503,
  WEFT_STORE_REFUSED: 502,
  WEFT_STORE_KEY: 400,
  WEFT_REGISTRY_UNKNOWN: 404,
  WEFT_REGISTRY_EPOCH: 409,
  WEFT_API_NOT_FOUND: 404,
  WEFT_API_KIND: 404,
  WEFT_API_REQUEST: 400,
  WEFT_API_TOO_LARGE: 413,
  WEFT_ACCESS_TOKEN: 401,
  WEFT_ACCESS_FORBIDDEN: 403,
  WEFT_ACCESS_RATE: 429,
  WEFT_CA_REQUEST: 422,
  WEFT_CA_PROOF: 401,
  WEFT_CA_STATE: 409,
  WEFT_CONFIG_INVALID: 422,
  WEFT_CONFIG_SYNTAX: 400,
}

export interface Failure {
  status: number
  headers: Record<string, string>
  body: { code: string; message: string; hint: string | null; issues: readonly object[] }
}

/** `url` is the path and query of the request, for the address of the leader. */
export function failureOf(error: WeftError, url: string): Failure {
  const { code, message, hint, issues, path } = error
  const wrongMethod = code === 'WEFT_API_REQUEST' && path === 'method'
  const status = wrongMethod ? 405 : (statuses[code] ?? 500)
  const headers: Record<string, string> = {}
  if (status === 401) headers['www-authenticate'] = 'Bearer'
  if (status === 405) headers.allow = (hint ?? '').replace('it takes ', '')
  if (code === 'WEFT_ACCESS_RATE') headers['retry-after'] = path ?? '1'
  // Without an address there is nowhere to send it: it is this replica that cannot serve it now.
  if (status === 307 && path !== null) headers.location = new URL(url, path).href
  return { status: status === 307 && path === null ? 503 : status, headers, body: { code, message, hint, issues } }
}

/** For what was not foreseen: nothing of our inside. */
export function unforeseen(): WeftError {
  return new WeftError('WEFT_API_FAILED', 'the request failed by a fault of the control plane', {
    hint: 'its log says more',
  })
}
