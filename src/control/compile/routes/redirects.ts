/** Redirects of VirtualServices: which port the client is sent to, where it is derived. */
import type { RedirectRule } from '../../resources/virtual-service-answers.js'
import type { MeshFinding } from '../finding.js'
import type { Origin, Redirect } from '../nouns.js'
import type { Caller } from './source.js'

const defaultPorts = { http: 80, https: 443 } as const

export function ruleRedirect(
  rule: RedirectRule,
  caller: Caller,
  origin: Origin,
): { action: { redirect: Redirect }; findings: MeshFinding[] } {
  const { scheme = null, authority = null, uri, prefixRewrite, redirectCode: status } = rule
  const replaced = prefixRewrite === undefined ? null : { prefix: prefixRewrite }
  const path = uri === undefined ? replaced : { full: uri }
  const { port, findings } = redirectPort(rule, caller, origin)
  return { action: { redirect: { scheme, host: authority, port, path, status } }, findings }
}

/** Null: what stands in the authority, or else in the request. */
function redirectPort(
  { port, derivePort, authority, scheme }: RedirectRule,
  caller: Caller,
  { path, ...origin }: Origin,
): { port: number | null; findings: MeshFinding[] } {
  const found = (value: number | null) => ({ port: value, findings: [] })
  if (derivePort === undefined) return found(port ?? null)
  const usual = defaultPorts[scheme ?? (caller.tls ? 'https' : 'http')]
  if (derivePort === 'FROM_PROTOCOL_DEFAULT') return found(authority === undefined ? usual : null)
  if (caller.port !== null) return found(caller.port === usual && authority !== undefined ? null : caller.port)
  if (authority === undefined) return found(null)
  const message = `the port of a request is known only as its client names it, so ${authority} is named without one`
  const hint = 'write port, give the service a numbered port (ServiceEntry), or leave authority out'
  const finding: MeshFinding = {
    ...{ severity: 'warning', code: 'WEFT_MESH_UNSUPPORTED', message, hint },
    origin: { ...origin, path: `${path}.derivePort` },
  }
  return { port: null, findings: [finding] }
}
