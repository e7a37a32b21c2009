/** What keeps requests together, in routes and balancers → the engine's keys. */
import type { ResolvedRequestKey } from '../../config/forms/request-key.js'
import type { CookieKey, StickyKey } from '../../native/snapshot.js'

export function compileRequestKey({ header, cookie, query, cel }: ResolvedRequestKey): StickyKey {
  if (header !== undefined) return { header }
  if (cookie !== undefined) {
    const { name, ttl, path } = cookie
    return { cookie: { name, ttlS: ttl === null ? null : Math.ceil(ttl / 1000), path } satisfies CookieKey }
  }
  if (cel !== undefined) return { cel }
  return query === undefined ? 'clientAddress' : { query }
}
