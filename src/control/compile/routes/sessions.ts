/** Persistent sessions of a rule: the name that tells them apart from others, and the paths that their cookie is for. */
import { createHash } from 'node:crypto'
import type { SessionPersistence as Written } from '../../resources/session-persistence.js'
import type { RouteMatch, SessionPersistence } from '../nouns.js'

/** `rule` distinguishes it from all others: the names of two sessions of one client must differ. */
export function session(written: Written, path: RouteMatch['path'], rule: string): SessionPersistence {
  const { type, sessionName, absoluteTimeout } = written
  const name = sessionName ?? `weft-session-${createHash('sha256').update(rule).digest('hex').slice(0, 8)}`
  return {
    by: type === 'Cookie' ? 'cookie' : 'header',
    name,
    path: cookiePath(path),
    lifetimeMs: absoluteTimeout ?? null,
  }
}

/** GEP-1619: the path that is matched; of a regular expression the part before anything that is none. */
function cookiePath(path: RouteMatch['path']): string {
  if ('exact' in path) return path.exact
  if ('prefix' in path) return path.prefix.replace(/(?<=.)\/+$/, '')
  const text = 'text' in path ? path.text : (/^\^?([^\\^$.*+?()[\]{}|]*)/.exec(path.regex)?.[1] ?? '')
  return text.slice(0, text.lastIndexOf('/')) || '/'
}
