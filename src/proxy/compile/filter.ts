/** `filters[]` → the engine's filters. */
import { resolve } from 'node:path'
import type { ResolvedConfig } from '../../config/config.js'
import type { Filter, HeaderEdits, KeyPart, RateBucket, Script } from '../../native/snapshot.js'

export type ResolvedFilter = ResolvedConfig['listeners'][number]['filters'][number]
/** What loading found out about the filters in TypeScript. */
export type Scripts = ReadonlyMap<ResolvedFilter, Script>

type ResolvedBucket = Extract<ResolvedFilter, { type: 'local-rate-limit' }>['buckets'][number]
type ResolvedEdits = Extract<ResolvedFilter, { type: 'header-rewrite' }>['request']

/** Paths are relative to `folder`. */
export function compileFilter(filter: ResolvedFilter, folder: string, scripts: Scripts): Filter {
  const { type } = filter
  switch (type) {
    case 'budget':
      return { type, keyFile: resolve(folder, filter.key), retries: filter.retries } satisfies Filter
    case 'local-rate-limit': {
      const { buckets, status, headers, mode } = filter
      const shadow = mode === 'shadow'
      return { type, buckets: buckets.map(compileBucket), status, headers, shadow } satisfies Filter
    }
    case 'header-rewrite': {
      const { request, response } = filter
      return { type, request: compileEdits(request), response: compileEdits(response) } satisfies Filter
    }
    case 'script':
    case 'inline':
    case undefined:
      return { type: 'script', ...(scripts.get(filter) ?? unloaded) } satisfies Filter
  }
}

/** Stands for a filter in a snapshot that is looked at and never served. */
const unloaded: Script = {
  ...{ id: 0, name: '', requestHead: false, responseHead: false, requestBody: 'none', responseBody: 'none' },
  ...{ maxBodyBytes: 0, onFailure: 'closed', timeBudgetMs: null, pool: false },
}

function compileBucket({ name, key, tokens, refill, every, maxKeys }: ResolvedBucket): RateBucket {
  return { name, key: key.map(compileKeyPart), tokens, refill, everyMs: every, maxKeys } satisfies RateBucket
}

function compileKeyPart({ header, cookie, query, clientAddress, path, host }: ResolvedBucket['key'][number]): KeyPart {
  if (header !== undefined) return { header }
  if (cookie !== undefined) return { cookie }
  if (query !== undefined) return { query }
  if (clientAddress) return 'clientAddress'
  if (path) return 'path'
  return host ? 'host' : 'method'
}

function compileEdits({ replace, remove, set, add }: ResolvedEdits): HeaderEdits {
  const lines = (written: Record<string, string>) => Object.entries(written).map(([name, value]) => ({ name, value }))
  return { replace, remove, set: lines(set), add: lines(add) } satisfies HeaderEdits
}
