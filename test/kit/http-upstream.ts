/**
 * An upstream in the test's own process: node:http with a few answers, and exchanges that the test holds open.
 *
 * `/bytes/N` answers N known bytes with a length, `/chunked/N` the same in chunks with a trailer, `/hash` says what it
 * was sent, `/status/N` answers with that status, `/hold` waits for the test.
 */
import { createHash } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { patternStream } from './pattern.js'

/** What `/hash` answers. */
export interface Received {
  method: string
  url: string
  httpVersion: string
  headers: Record<string, string | string[] | undefined>
  trailers: Record<string, string | undefined>
  bytes: number
  sha256: string
}

export interface Held {
  request: IncomingMessage
  response: ServerResponse
}

const open = new Set<Upstream>()

export class Upstream {
  readonly server: Server
  /** Requests whose head has come. */
  requests = 0
  private readonly name: string
  private readonly events = new EventEmitter()
  private readonly queue: Held[] = []

  private constructor(name: string) {
    this.name = name
    this.server = createServer((request, response) => this.answer(request, response))
    this.server.keepAliveTimeout = 60_000
    open.add(this)
  }

  static async start(name = 'app', port = 0, host = '127.0.0.1'): Promise<Upstream> {
    const upstream = new Upstream(name)
    upstream.server.listen(port, host)
    await once(upstream.server, 'listening')
    return upstream
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  get address(): string {
    return `${(this.server.address() as AddressInfo).address}:${this.port}`
  }

  /** The next exchange that came to `/hold`. */
  async held(): Promise<Held> {
    if (this.queue.length === 0) await once(this.events, 'held', { signal: AbortSignal.timeout(10_000) })
    const held = this.queue.shift()
    if (held === undefined) throw new Error('an exchange was announced and is not there')
    return held
  }

  async close(): Promise<void> {
    open.delete(this)
    this.server.closeAllConnections()
    this.server.close()
    await once(this.server, 'close')
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    this.requests += 1
    const [, kind, size] = (request.url ?? '').split('?')[0]?.split('/') ?? []
    response.setHeader('x-upstream', this.name)
    if (kind === 'bytes' || kind === 'chunked') {
      const bytes = Number(size)
      if (kind === 'bytes') response.setHeader('content-length', bytes)
      else response.setHeader('trailer', 'x-end')
      if (request.method === 'HEAD') return void response.end()
      if (kind === 'chunked') response.addTrailers({ 'x-end': 'yes' })
      patternStream(bytes).pipe(response)
    } else if (kind === 'hash') {
      void describe(request).then(
        (received) => {
          response.setHeader('content-type', 'application/json')
          response.end(JSON.stringify(received))
        },
        () => response.destroy(),
      )
    } else if (kind === 'status') {
      response.statusCode = Number(size)
      response.end(`${size}\n`)
    } else if (kind === 'hold') {
      this.queue.push({ request, response })
      this.events.emit('held')
    } else response.end(`${this.name}\n`)
  }
}

async function describe(request: IncomingMessage): Promise<Received> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const data of request) {
    hash.update(data)
    bytes += data.length
  }
  const { method = '', url = '', httpVersion, headers, trailers } = request
  return { method, url, httpVersion, headers, trailers, bytes, sha256: hash.digest('hex') }
}

/** For `afterEach`. */
export async function closeUpstreams(): Promise<void> {
  await Promise.all([...open].map((upstream) => upstream.close()))
}
