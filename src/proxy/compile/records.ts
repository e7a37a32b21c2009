/** `records` → what the engine keeps of each exchange: what was asked for, and the headers by which requests are routed. */
import type { ResolvedConfig } from '../../config/config.js'
import type { Records } from '../../native/snapshot.js'

/** Each header that is kept is looked for in each request: beyond so many, `why` knows less rather than all cost more. */
const mostHeaders = 64

/** Without the headers that routes read, `why` could not say later how a request was routed. */
export function compileRecords({ records, listeners, routes }: ResolvedConfig): Records {
  const { ring, redact } = records
  const read = [
    ...listeners.flatMap(({ serviceHeader }) => serviceHeader ?? []),
    ...routes.flatMap(({ matches }) => matches.flatMap(({ headers }) => headers.map(({ name }) => name))),
    ...routes.flatMap(({ sticky }) => sticky?.header ?? []),
  ]
  return { ring, headers: [...new Set([...records.headers, ...read])].slice(0, mostHeaders), redact } satisfies Records
}
