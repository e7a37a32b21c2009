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
    case 'bandwidth-limit': {
      const { bytesPerSecond, direction } = filter
      return { type, bytesPerSecond, direction } satisfies Filter
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

function compileBucket(bucket: ResolvedBucket): RateBucket {
  const { name, key, tokens, refill, every, maxKeys, fair, keys, warmUp, maxWait } = bucket
  return {
    ...{ name, key: key.map(compileKeyPart), tokens, refill, everyMs: every, maxKeys, fair },
    warmUp: warmUp === null ? null : { overMs: warmUp.over, coldFactor: warmUp.coldFactor },
    maxWaitMs: maxWait,
    keys: keys.map(({ match, tokens, refill, every }) => ({ values: match, tokens, refill, everyMs: every })),
  } satisfies RateBucket
}

function compileKeyPart(part: ResolvedBucket['key'][number]): KeyPart {
  const { header, cookie, query, clientAddress, identity, path, host, pathTemplate, generic } = part
  if (header !== undefined) return { header }
  if (cookie !== undefined) return { cookie }
  if (query !== undefined) return { query }
  if (pathTemplate !== undefined) return { pathTemplate }
  if (generic !== undefined) return { generic }
  if (clientAddress) return 'clientAddress'
  if (identity) return 'identity'
  if (path) return 'path'
  return host ? 'host' : 'method'
}

function compileEdits({ replace, remove, set, add }: ResolvedEdits): HeaderEdits {
  const lines = (written: Record<string, string>) => Object.entries(written).map(([name, value]) => ({ name, value }))
  return { replace, remove, set: lines(set), add: lines(add) } satisfies HeaderEdits
}
