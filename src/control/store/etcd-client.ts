/**
 * etcd v3 through its JSON gateway: the five calls that the store needs, over plain node:http with keep-alive.
 *
 * Invariants: each call is bounded in time; a node that does not answer is left for the next one in the list; bytes
 * cross as base64, 64-bit numbers as text. `WEFT_STORE_UNREACHABLE` says that no node answered, which for a transaction
 * does not say that it was not carried out.
 */
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { WeftError } from '../../errors.js'

export interface EtcdOptions {
  urls: readonly string[]
  /** PEM texts; for `https:` URLs. */
  ca?: string
  certificate?: string
  key?: string
  timeoutMs?: number
}

export interface KeyValue {
  key: string
  value: string
  createRevision: string
  /** etcd's revision that wrote it. */
  modRevision: string
}

export type Compare = { key: string; createRevision: string } | { key: string; value: string }

export type Operation =
  | { put: string; value: string; lease?: string }
  | { delete: string; before?: string }
  | { get: string }

export interface TxnAnswer {
  succeeded: boolean
  /** What the `get` operations of the branch that was taken have found. */
  found: (KeyValue | null)[]
}

interface Kv {
  key: string
  value?: string
  create_revision: string
  mod_revision: string
}

const encode = (text: string) => Buffer.from(text).toString('base64')
const decode = (text = '') => Buffer.from(text, 'base64').toString()
const keyValue = ({ key, value, create_revision, mod_revision }: Kv): KeyValue => ({
  key: decode(key),
  value: decode(value),
  createRevision: create_revision,
  modRevision: mod_revision,
})

/** The first key behind all that start with `prefix`. */
export function prefixEnd(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)
}

export class EtcdClient {
  private readonly options: EtcdOptions
  private readonly agents: { http: HttpAgent; https: HttpsAgent }
  /** The node that answered last. */
  private current = 0
  private readonly watches = new Set<ClientRequest>()

  constructor(options: EtcdOptions) {
    this.options = options
    const { ca, certificate: cert, key } = options
    this.agents = {
      http: new HttpAgent({ keepAlive: true }),
      https: new HttpsAgent({ keepAlive: true, ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }),
    }
  }

  /** One page of the keys that start with `prefix`, from `from` on, as they were at `revision` (null: now). */
  async range(prefix: string, from: string, revision: string | null, limit: number) {
    const answer = await this.call<{ header: { revision: string }; kvs?: Kv[]; more?: boolean }>('/v3/kv/range', {
      key: encode(from),
      range_end: encode(prefixEnd(prefix)),
      limit,
      ...(revision !== null && { revision }),
    })
    const { header, kvs = [], more = false } = answer
    return { revision: header.revision, found: kvs.map(keyValue), more }
  }

  async txn(compare: readonly Compare[], success: readonly Operation[], failure: readonly Operation[] = []) {
    const answer = await this.call<{ succeeded?: boolean; responses?: { response_range?: { kvs?: Kv[] } }[] }>(
      '/v3/kv/txn',
      { compare: compare.map(comparison), success: success.map(operation), failure: failure.map(operation) },
    )
    const ranges = (answer.responses ?? []).flatMap(({ response_range }) => (response_range ? [response_range] : []))
    const found = ranges.map(({ kvs }) => (kvs?.[0] === undefined ? null : keyValue(kvs[0])))
    return { succeeded: answer.succeeded ?? false, found } satisfies TxnAnswer
  }

  async grantLease(ttlS: number): Promise<string> {
    return (await this.call<{ ID: string }>('/v3/lease/grant', { TTL: ttlS })).ID
  }

  /** Whether the lease still lives. */
  async keepAlive(lease: string): Promise<boolean> {
    const { result } = await this.call<{ result?: { TTL?: string } }>('/v3/lease/keepalive', { ID: lease })
    return Number(result?.TTL ?? 0) > 0
  }

  async revokeLease(lease: string): Promise<void> {
    await this.call('/v3/lease/revoke', { ID: lease })
  }

  /** Streams the values put under `prefix` from `fromRevision` on; ends with one call of `onEnd`. */
  watch(prefix: string, fromRevision: string, on: WatchHandlers): () => void {
    const create_request = { key: encode(prefix), range_end: encode(prefixEnd(prefix)), start_revision: fromRevision }
    let over = false
    const end = (end: WatchEnd) => {
      if (over) return
      over = true
      this.watches.delete(request)
      request.destroy()
      on.end(end)
    }
    const request = this.open(this.url(), '/v3/watch', { create_request }, (response) => {
      readLines(response, (line) => {
        const { result, error } = JSON.parse(line) as WatchLine
        if (over) return
        if (error !== undefined || result?.canceled) {
          end(result?.compact_revision === undefined ? 'broken' : 'compacted')
        } else if (result !== undefined) {
          const events = result.events ?? []
          const deletes = events.filter(({ type }) => type === 'DELETE').map(({ kv }) => decode(kv.key))
          on.puts(events.filter(({ type = 'PUT' }) => type === 'PUT').map(({ kv }) => keyValue(kv)))
          if (deletes.length > 0) on.deletes?.(deletes)
        }
      })
      response.once('close', () => end('broken'))
    })
    request.once('error', () => end('broken'))
    this.watches.add(request)
    return () => {
      over = true
      this.watches.delete(request)
      request.destroy()
    }
  }

  close(): void {
    this.agents.http.destroy()
    this.agents.https.destroy()
  }

  private url(): string {
    return this.options.urls[this.current % this.options.urls.length] ?? ''
  }

  private async call<Answer>(path: string, body: object): Promise<Answer> {
    let last: unknown = null
    for (let tries = 0; tries < this.options.urls.length; tries += 1) {
      const url = this.url()
      try {
        return await this.callOne<Answer>(url, path, body)
      } catch (error) {
        if (error instanceof WeftError) throw error
        last = error
        this.current += 1
        // A watch on a node that has gone silent would stay silent.
        if (this.options.urls.length > 1) for (const watch of [...this.watches]) watch.destroy(new Error('next node'))
      }
    }
    const reason = (last as NodeJS.ErrnoException).code ?? (last as Error).message
    throw new WeftError(
      'WEFT_STORE_UNREACHABLE',
      `etcd at ${this.options.urls.join(', ')} does not answer: ${reason}`,
      {
        hint: 'what was read before still serves; changes are refused until it answers',
        cause: last,
      },
    )
  }

  private callOne<Answer>(url: string, path: string, body: object): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const request = this.open(url, path, body, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.once('error', reject)
        response.once('end', () => {
          clearTimeout(timer)
          const text = Buffer.concat(chunks).toString()
          if (response.statusCode === 200) resolve(JSON.parse(text) as Answer)
          else reject(refusal(path, response.statusCode ?? 0, text))
        })
      })
      const timer = setTimeout(() => {
        request.destroy(new Error(`no answer in ${this.options.timeoutMs ?? 2_000} ms`))
      }, this.options.timeoutMs ?? 2_000)
      request.once('error', (error) => {
        clearTimeout(timer)
        reject(error)
      })
    })
  }

  private open(url: string, path: string, body: object, on: (response: IncomingMessage) => void): ClientRequest {
    const secure = url.startsWith('https:')
    const bytes = Buffer.from(JSON.stringify(body))
    const headers = { 'content-type': 'application/json', 'content-length': bytes.length }
    const options = { method: 'POST', headers, agent: secure ? this.agents.https : this.agents.http }
    const request = (secure ? httpsRequest : httpRequest)(new URL(path, url), options, on)
    request.end(bytes)
    return request
  }
}

/** `compacted`: what lay between is gone, read everything again; `broken`: watch again from where it stopped. */
export type WatchEnd = 'compacted' | 'broken'

export interface WatchHandlers {
  /** Called with none when the watch stands; all puts of one transaction come together. */
  puts(puts: KeyValue[]): void
  /** Keys that were deleted, or whose lease ended. */
  deletes?(keys: string[]): void
  end(end: WatchEnd): void
}

interface WatchLine {
  result?: {
    canceled?: boolean
    compact_revision?: string
    events?: { type?: string; kv: Kv }[]
  }
  error?: unknown
}

function readLines(response: IncomingMessage, onLine: (line: string) => void): void {
  let rest = ''
  response.setEncoding('utf8')
  response.on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line !== '') onLine(line)
  })
  response.on('error', () => {}) // 'close' follows
}

function refusal(path: string, status: number, text: string): Error {
  let message = text.slice(0, 200)
  try {
    message = (JSON.parse(text) as { error?: string }).error ?? message
  } catch {
    // a proxy's page: shown as it is
  }
  // 5xx is a node in trouble, such as one without a leader: the next one may do better.
  if (status >= 500) return new Error(`${path} was answered with ${status}: ${message}`)
  if (message.includes('compacted')) return new WeftError('WEFT_STORE_COMPACTED', `etcd: ${message}`)
  if (/too large|too many operations/.test(message)) {
    return new WeftError('WEFT_STORE_TOO_LARGE', `etcd: ${message}`, { hint: 'apply it in several parts' })
  }
  return new WeftError('WEFT_STORE_REFUSED', `etcd refused ${path} with ${status}: ${message}`)
}

function comparison(compare: Compare): object {
  const key = encode(compare.key)
  if ('value' in compare) return { key, target: 'VALUE', result: 'EQUAL', value: encode(compare.value) }
  return { key, target: 'CREATE', result: 'EQUAL', create_revision: compare.createRevision }
}

function operation(operation: Operation): object {
  if ('get' in operation) return { request_range: { key: encode(operation.get) } }
  if ('delete' in operation) {
    const { delete: from, before } = operation
    return { request_delete_range: { key: encode(from), ...(before !== undefined && { range_end: encode(before) }) } }
  }
  const { put, value, lease } = operation
  return { request_put: { key: encode(put), value: encode(value), ...(lease !== undefined && { lease }) } }
}
