/**
 * Persistent sessions in Envoy, which keeps none of them: a cookie or header names the endpoint. Where a rule splits its
 * requests over services, a second cookie names the service, and a route before the split takes what has one.
 */
import { createHash } from 'node:crypto'
import type { AnyJson } from '@bufbuild/protobuf/wkt'
import {
  type StatefulSessionJson,
  StatefulSessionPerRouteSchema,
} from '../../xds/protos/envoy/extensions/filters/http/stateful_session/v3/stateful_session_pb.js'
import { CookieBasedSessionStateSchema } from '../../xds/protos/envoy/extensions/http/stateful_session/cookie/v3/cookie_pb.js'
import { HeaderBasedSessionStateSchema } from '../../xds/protos/envoy/extensions/http/stateful_session/header/v3/header_pb.js'
import { isNowhere } from '../mesh/references.js'
import type { Forward, HeaderChange, HeaderMatch, Route, SessionPersistence } from '../nouns.js'
import { escapeRegex } from '../routes/http-routes.js'
import { pack, seconds } from './any.js'

export const sessionFilter = 'weft.session'

export function sessionConfig(session: SessionPersistence): AnyJson {
  return pack(StatefulSessionPerRouteSchema, { statefulSession: { sessionState: sessionState(session) } })
}

function sessionState({
  by,
  name,
  path,
  lifetimeMs,
}: SessionPersistence): NonNullable<StatefulSessionJson['sessionState']> {
  if (by === 'header')
    return {
      name: 'envoy.http.stateful_session.header',
      typedConfig: pack(HeaderBasedSessionStateSchema, { name }),
    }
  // Envoy adds HttpOnly by itself. A request from another site's page belongs to no session (GEP-1619).
  const attributes = [{ name: 'SameSite', value: 'Strict' }]
  const ttl = lifetimeMs === null ? {} : { ttl: seconds(wholeSeconds(lifetimeMs) * 1_000) }
  return {
    name: 'envoy.http.stateful_session.cookie',
    typedConfig: pack(CookieBasedSessionStateSchema, { cookie: { name, path, attributes, ...ttl } }),
  }
}

function wholeSeconds(ms: number): number {
  return Math.ceil(ms / 1_000)
}

/** The routes that a route stands for: those of sessions that have a service, then the one that gives them one. */
export function routesOfSessions(route: Route): Route[] {
  const { action, session, match } = route
  if (session === undefined || !('forward' in action) || action.forward.length < 2) return [route]
  const { forward } = action
  const kept = forward
    .filter(({ cluster }) => !isNowhere(cluster))
    .map((one): Route => {
      const cookie: HeaderMatch = { name: 'cookie', regex: `(.*;\\s*)?${escapeRegex(marker(session, one))}(\\s*;.*)?` }
      const own = { ...match, headers: [...match.headers, cookie] }
      return { ...route, match: own, action: { forward: [{ ...one, weight: 1 }] } }
    })
  const marked = forward.filter(({ weight }) => weight > 0).map((one) => ({ ...one, ...marking(session, one) }))
  return [...kept, { ...route, action: { forward: marked } }]
}

/** Says nothing of the service to those who do not know its name. */
function marker({ name }: SessionPersistence, { cluster }: Forward): string {
  return `${name}-service=${createHash('sha256').update(cluster).digest('hex').slice(0, 12)}`
}

function marking(session: SessionPersistence, forward: Forward): { responseHeaders: HeaderChange } {
  const { path, lifetimeMs } = session
  const age = lifetimeMs === null ? '' : `; Max-Age=${wholeSeconds(lifetimeMs)}`
  const cookie = `${marker(session, forward)}${age}; Path=${path}; HttpOnly; SameSite=Strict`
  const { set = {}, add = {}, remove = [] } = forward.responseHeaders ?? {}
  return { responseHeaders: { set, add: { ...add, 'set-cookie': cookie }, remove } }
}
