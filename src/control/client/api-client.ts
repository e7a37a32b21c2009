/**
 * The API from the other side: requests, streams, the leader's address followed, failures as the errors that they were.
 *
 * Invariants: the token goes to the server that was named and, by its own word, to the leader that it names, never from
 * https to http; a request is bounded in time, a stream is not, but its silence is.
 */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { createInterface } from 'node:readline'
import { type Code, codes, type Issue, WeftError } from '../../errors.js'

export interface ApiClientOptions {
  server: string
  token: string | null
  /** PEM text: who signs the server's certificate; null for the system's. */
  ca: string | null
  timeoutMs?: number
  /** Called when an answer takes longer than a second. */
  late?: () => void
}

const maxRedirects = 3
/** Longer than this nobody waits without a word. */
const lateMs = 1_000
/** The server gives a sign of life every 15 s. */
const maxSilenceMs = 45_000

export class ApiClient {
  private readonly options: ApiClientOptions
  private readonly agents: { http: HttpAgent; https: HttpsAgent }

  constructor(options: ApiClientOptions) {
    this.options = options
    this.agents = {
      http: new HttpAgent({ keepAlive: true }),
      https: new HttpsAgent({ keepAlive: true, ...(options.ca !== null && { ca: options.ca }) }),
    }
  }

  get<Body>(path: string): Promise<Body> {
    return this.ask<Body>('GET', path)
  }

  /** Throws the error that the API answered with, or `WEFT_CLIENT_UNREACHABLE`. */
  async ask<Body>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<Body> {
    const timer = setTimeout(() => this.options.late?.(), lateMs)
    try {
      return await this.answer<Body>(method, path, body)
    } finally {
      clearTimeout(timer)
    }
  }

  private async answer<Body>(method: string, path: string, body: unknown): Promise<Body> {
    const response = await this.open(method, path, body, this.options.timeoutMs ?? 30_000)
    const text = await readText(response).catch((cause) => {
      throw this.unreachable(cause as NodeJS.ErrnoException)
    })
    if ((response.statusCode ?? 0) < 300) return JSON.parse(text) as Body
    throw failureOf(response.statusCode ?? 0, text)
  }

  /** The JSON lines of a stream, until it ends or the signal is given. */
  async *lines<Line>(path: string, signal?: AbortSignal): AsyncGenerator<Line> {
    const response = await this.open('GET', path, undefined, maxSilenceMs, signal)
    if ((response.statusCode ?? 0) >= 300) throw failureOf(response.statusCode ?? 0, await readText(response))
    try {
      for await (const line of createInterface({ input: response })) {
        if (line !== '') yield JSON.parse(line) as Line
      }
      // readline takes a connection that broke for the end.
      if (!response.complete && !signal?.aborted) throw new Error('the connection broke off')
    } catch (cause) {
      if (signal?.aborted) return
      throw this.unreachable(cause as NodeJS.ErrnoException)
    } finally {
      response.destroy()
    }
  }

  close(): void {
    this.agents.http.destroy()
    this.agents.https.destroy()
  }

  private async open(method: string, path: string, body: unknown, timeoutMs: number, signal?: AbortSignal) {
    let url = this.urlOf(path)
    for (let redirects = 0; ; redirects += 1) {
      const response = await this.send(url, method, body, timeoutMs, signal).catch((cause) => {
        throw this.unreachable(cause as NodeJS.ErrnoException)
      })
      const { location } = response.headers
      if (response.statusCode !== 307 || location === undefined) return response
      response.resume()
      const next = new URL(location, url)
      if (redirects >= maxRedirects || (url.protocol === 'https:' && next.protocol !== 'https:')) return response
      url = next
    }
  }

  private urlOf(path: string): URL {
    try {
      return new URL(path, this.options.server)
    } catch (cause) {
      throw new WeftError(
        'WEFT_CLIENT_CONFIG',
        `${JSON.stringify(this.options.server)} is not an address of a server`,
        {
          hint: 'write it as http://127.0.0.1:7400 or https://…',
          cause,
        },
      )
    }
  }

  private send(url: URL, method: string, body: unknown, timeoutMs: number, signal?: AbortSignal) {
    const bytes = body === undefined ? null : Buffer.from(JSON.stringify(body))
    const secure = url.protocol === 'https:'
    const { token } = this.options
    const options: RequestOptions = {
      ...{ method, agent: secure ? this.agents.https : this.agents.http },
      headers: {
        accept: 'application/json',
        ...(token !== null && { authorization: `Bearer ${token}` }),
        ...(bytes !== null && { 'content-type': 'application/json', 'content-length': bytes.length }),
      },
      ...(signal !== undefined && { signal }),
    }
    return new Promise<IncomingMessage>((resolve, reject) => {
      const request = (secure ? httpsRequest : httpRequest)(url, options, resolve)
      request.setTimeout(timeoutMs, () => request.destroy(new Error(`no answer in ${timeoutMs} ms`)))
      request.once('error', reject)
      request.end(bytes ?? undefined)
    })
  }

  private unreachable(cause: NodeJS.ErrnoException): WeftError {
    const reasons: Record<string, string> = {
      ECONNREFUSED: 'nobody listens there',
      ENOTFOUND: 'there is no such host',
      DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by itself; name its CA with --ca',
      UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is signed by nobody known; name the CA with --ca',
      SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is signed by nobody known; name the CA with --ca',
    }
    const reason = reasons[cause.code ?? ''] ?? cause.message
    return new WeftError('WEFT_CLIENT_UNREACHABLE', `${this.options.server} does not answer: ${reason}`, {
      hint: 'is `weft control` running? Name it with --server or WEFT_SERVER',
      cause,
    })
  }
}

function readText(response: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    response.on('data', (chunk: Buffer) => chunks.push(chunk))
    response.once('error', reject)
    response.once('end', () => resolve(Buffer.concat(chunks).toString()))
  })
}

interface FailureBody {
  code?: string
  message?: string
  hint?: string | null
  issues?: Issue[]
}

function failureOf(status: number, text: string): WeftError {
  let body: FailureBody = {}
  try {
    body = JSON.parse(text) as FailureBody
  } catch {
    // not our server
  }
  const { code = '', message, hint, issues = [] } = body
  if (code in codes && message !== undefined) {
    return new WeftError(code as Code, message, { ...(hint && { hint }), issues })
  }
  return new WeftError('WEFT_CLIENT_UNREACHABLE', `the server answered with ${status}, not as a control plane does`, {
    hint: 'check --server',
  })
}
