/**
 * The list of endpoints, and which of them answers a request: find, admit, read, answer.
 *
 * Invariant: whatever a caller sends, it gets an answer with a code and a sentence; a fault of ours tells nothing of our
 * inside.
 */
import type * as z from 'zod'
import { findingsOf } from '../../config/checks/findings.js'
import { formatPath } from '../../config/checks/path.js'
import { WeftError } from '../../errors.js'
import { demand, type Principal } from '../access/roles.js'
import type { ApiAnswer, ApiContext, Endpoint } from './endpoint.js'
import { applyResources } from './endpoints/apply-resources.js'
import { auditLines } from './endpoints/audit-lines.js'
import { caRoots } from './endpoints/ca-roots.js'
import { caStatus } from './endpoints/ca-status.js'
import { check } from './endpoints/check.js'
import { createToken } from './endpoints/create-token.js'
import { deleteResource } from './endpoints/delete-resource.js'
import { deregister } from './endpoints/deregister.js'
import { getResource } from './endpoints/get-resource.js'
import { heartbeat } from './endpoints/heartbeat.js'
import { history } from './endpoints/history.js'
import { inspectNode } from './endpoints/inspect-node.js'
import { inspectResource } from './endpoints/inspect-resource.js'
import { issueCertificate } from './endpoints/issue-certificate.js'
import { issuedCertificates } from './endpoints/issued-certificates.js'
import { listKinds } from './endpoints/list-kinds.js'
import { listResources } from './endpoints/list-resources.js'
import { listTokens } from './endpoints/list-tokens.js'
import { listWorkloads } from './endpoints/list-workloads.js'
import { live } from './endpoints/live.js'
import { openApi } from './endpoints/open-api.js'
import { ready } from './endpoints/ready.js'
import { register } from './endpoints/register.js'
import { revokeCertificate } from './endpoints/revoke-certificate.js'
import { revokeToken } from './endpoints/revoke-token.js'
import { rollback } from './endpoints/rollback.js'
import { rotateCa } from './endpoints/rotate-ca.js'
import { status } from './endpoints/status.js'
import { verdicts } from './endpoints/verdicts.js'
import { watch } from './endpoints/watch.js'

export const endpoints: readonly Endpoint[] = [
  ...[listKinds, listResources, getResource, applyResources, deleteResource, history, rollback, watch],
  ...[listWorkloads, register, heartbeat, deregister],
  ...[status, check, verdicts, inspectNode, inspectResource],
  ...[auditLines, createToken, listTokens, revokeToken],
  ...[caStatus, caRoots, issuedCertificates, rotateCa, revokeCertificate, issueCertificate],
  ...[live, ready, openApi],
]

export interface Route {
  endpoint: Endpoint
  params: Record<string, string>
}

/** Throws `WEFT_API_NOT_FOUND`, or `WEFT_API_REQUEST` for another method. */
export function route(method: string, path: string): Route {
  const parts = path.split('/').map(decode)
  const fits = endpoints.flatMap((endpoint) => {
    const params = match(endpoint.path.split('/'), parts)
    return params === null ? [] : [{ endpoint, params }]
  })
  const found = fits.find(({ endpoint }) => endpoint.method === (method === 'HEAD' ? 'GET' : method))
  if (found !== undefined) return found
  if (fits.length === 0) {
    throw new WeftError('WEFT_API_NOT_FOUND', `there is no ${path}`, { hint: 'GET /openapi.json lists what there is' })
  }
  const methods = fits.map(({ endpoint }) => endpoint.method).join(', ')
  throw new WeftError('WEFT_API_REQUEST', `${path} does not take ${method}`, {
    path: 'method',
    hint: `it takes ${methods}`,
  })
}

function match(pattern: readonly string[], parts: readonly string[]): Record<string, string> | null {
  if (pattern.length !== parts.length) return null
  const params: Record<string, string> = {}
  for (const [i, expected] of pattern.entries()) {
    const part = parts[i] ?? ''
    if (!expected.startsWith('{')) {
      if (expected !== part) return null
    } else if (part === '') return null
    else params[expected.slice(1, -1)] = part
  }
  return params
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw new WeftError('WEFT_API_REQUEST', `${JSON.stringify(part)} in the path is not well encoded`, { path: 'path' })
  }
}

export interface Asked {
  route: Route
  principal: Principal
  query: URLSearchParams
  /** The parsed body; undefined when there is none. */
  body: unknown
  remoteAddress: string
}

export async function answerApi(context: ApiContext, asked: Asked): Promise<ApiAnswer> {
  const { route, principal, query, body, remoteAddress } = asked
  const { endpoint, params } = route
  if (endpoint.access !== 'open' && endpoint.access !== 'known') demand(principal, endpoint.access)
  const parsed = {
    query: endpoint.query && read(endpoint.query, Object.fromEntries(query), 'query'),
    body: endpoint.body && read(endpoint.body, body, 'body'),
  }
  return endpoint.answer(context, { principal, params, remoteAddress, ...parsed })
}

/** Throws `WEFT_API_REQUEST` with every issue. */
function read(schema: z.ZodType, value: unknown, place: 'query' | 'body'): unknown {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issues = findingsOf(schema, value, parsed.error.issues).map(({ path, ...rest }) => {
    return { path: formatPath(path), ...rest, line: null }
  })
  throw new WeftError('WEFT_API_REQUEST', `the ${place} is not as it must be`, { path: place, issues })
}
