/**
 * The API's door: HTTPS, or plain HTTP where only this machine can connect.
 *
 * Invariants: every request ends with an answer within the bounds of time and size; a stream whose reader is stuck is cut
 * rather than kept in memory; one whose token has ended tells nothing more; closing ends every stream.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https'
import { parseAddress } from '../../config/forms/address.js'
import { isLoopback } from '../../config/forms/loopback.js'
import { WeftError } from '../../errors.js'
import type { CertificateHolder } from '../access/certificate-access.js'
import { RateLimit } from '../access/rate-limit.js'
import type { Principal } from '../access/roles.js'
import { Authenticator, tooOften } from './authenticate.js'
import type { ApiAnswer, ApiContext } from './endpoint.js'
import { failureOf, unforeseen } from './failure.js'
import { readBody } from './read-body.js'
import { answerApi, route } from './router.js'

/** PEM texts. */
export interface ServerCertificate {
  certificate: string
  key: string
  /** Whose client certificates are believed; null for none. */
  clientCa: string | null
}

export interface ServerOptions {
  context: ApiContext
  /** `ip:port`. */
  listen: string
  tls: ServerCertificate | null
  holders: readonly CertificateHolder[]
  maxBodyBytes: number
  requestsPerSecond: number
  /** Told of faults of ours, with what a log should hold. */
  fault: (message: string) => void
}

export interface ApiServer {
  /** `https://127.0.0.1:7400`, with the port that it really has. */
  url: string
  /** New connections get it from now on. */
  renewCertificate(tls: ServerCertificate): void
  close(): Promise<void>
}

type Stream = Extract<ApiAnswer, { stream: unknown }>['stream']

/** What a stream may hold for a reader that does not read. */
const maxUnsentBytes = 64 * 1024 * 1024
const lifeSignMs = 15_000
/** Streams that are open at once; each holds a connection and a place among the store's watchers. */
const maxStreams = 2_000

/** Throws `WEFT_CONTROL_ADDRESS`, `WEFT_CONTROL_PLAIN` or `WEFT_CONTROL_CERTIFICATE`. */
export async function startServer(options: ServerOptions): Promise<ApiServer> {
  const { listen, tls } = options
  if (tls === null && !isLoopback(listen)) {
    throw new WeftError(
      'WEFT_CONTROL_PLAIN',
      `${listen} can be reached from other machines, and there is no certificate`,
      {
        path: 'tls',
        hint: 'give tls.certificate and tls.key, or listen on 127.0.0.1',
      },
    )
  }
  const api = new Api(options)
  const server = tls === null ? createServer() : secure(tls)
  server.on('request', (request, response) => void api.serve(request, response))
  server.requestTimeout = 30_000
  server.headersTimeout = 10_000
  const port = await bind(server, listen)
  const host = listen.slice(0, listen.lastIndexOf(':'))
  return {
    url: `${tls === null ? 'http' : 'https'}://${host}:${port}`,
    renewCertificate({ certificate: cert, key, clientCa }) {
      if ('setSecureContext' in server)
        server.setSecureContext({ cert, key, ...(clientCa !== null && { ca: clientCa }) })
    },
    close() {
      api.endStreams()
      return new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    },
  }
}

function secure({ certificate: cert, key, clientCa }: ServerCertificate): SecureServer {
  try {
    return createSecureServer({
      ...{ cert, key, minVersion: 'TLSv1.2' },
      // Asked for and not demanded: others come with a token.
      ...(clientCa !== null && { ca: clientCa, requestCert: true, rejectUnauthorized: false }),
    })
  } catch (cause) {
    throw new WeftError('WEFT_CONTROL_CERTIFICATE', `the certificate cannot be used: ${(cause as Error).message}`, {
      path: 'tls',
      hint: 'PEM files: the chain, leaf first, and its key',
      cause,
    })
  }
}

function bind(server: Server | SecureServer, listen: string): Promise<number> {
  const address = parseAddress(listen)
  return new Promise((resolve, reject) => {
    const refuse = (why: string, cause?: unknown) => {
      reject(new WeftError('WEFT_CONTROL_ADDRESS', `cannot listen on ${listen}: ${why}`, { path: 'listen', cause }))
    }
    if (typeof address === 'string') return refuse(address)
    server.once('error', (error: NodeJS.ErrnoException) => refuse(error.code ?? error.message, error))
    server.listen({ host: address.ip, port: address.port }, () => resolve((server.address() as { port: number }).port))
  })
}

class Api {
  private readonly options: ServerOptions
  private readonly authenticator: Authenticator
  private readonly rate: RateLimit
  private readonly streams = new Set<() => void>()

  constructor(options: ServerOptions) {
    this.options = options
    const { context, holders, requestsPerSecond: perSecond } = options
    const nowMs = () => performance.now()
    this.authenticator = new Authenticator({ tokens: context.tokens, holders, nowMs })
    this.rate = new RateLimit({ perSecond, burst: 2 * perSecond, nowMs })
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? '/'
    try {
      this.send(request, response, await this.answer(request, url))
    } catch (error) {
      // The caller has gone, or was being answered: nobody is there to be told.
      if (response.headersSent || request.socket.destroyed) {
        response.destroy()
        return
      }
      if (!(error instanceof WeftError)) this.options.fault(`${request.method} ${url}: ${(error as Error).stack}`)
      const { status, headers, body } = failureOf(error instanceof WeftError ? error : unforeseen(), url)
      // What was not read of the body would be taken for the next request.
      if (!request.complete) headers.connection = 'close'
      sendJson(response, status, body, headers)
    }
  }

  endStreams(): void {
    for (const end of [...this.streams]) end()
  }

  private async answer(request: IncomingMessage, url: string): Promise<ApiAnswer> {
    const { context, maxBodyBytes } = this.options
    const { pathname, searchParams } = new URL(url, 'http://weft')
    const method = request.method ?? 'GET'
    const remoteAddress = (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '')
    const found = route(method, pathname)
    const principal = found.endpoint.access === 'open' ? nobody : this.admit(request, remoteAddress)
    const waitMs = this.rate.take(principal === nobody ? remoteAddress : principal.name)
    if (waitMs > 0) throw tooOften(`${principal.name} asks more often than it may`, waitMs)
    const body = found.endpoint.body === undefined ? undefined : await readBody(request, maxBodyBytes)
    try {
      return await answerApi(context, { route: found, principal, query: searchParams, body, remoteAddress })
    } catch (error) {
      if (error instanceof WeftError && error.code === 'WEFT_ACCESS_FORBIDDEN') {
        context.audit.denied(principal.name, `${method} ${pathname}: ${error.message}`, new Date(context.nowMs()))
      }
      throw error
    }
  }

  private admit(request: IncomingMessage, remoteAddress: string): Principal {
    try {
      return this.authenticator.authenticate(request, remoteAddress)
    } catch (error) {
      const { audit, nowMs } = this.options.context
      if (error instanceof WeftError && error.code === 'WEFT_ACCESS_TOKEN') {
        audit.denied(remoteAddress, `${request.method} ${request.url}: ${error.message}`, new Date(nowMs()))
      }
      throw error
    }
  }

  private send(request: IncomingMessage, response: ServerResponse, answer: ApiAnswer): void {
    if ('stream' in answer) this.sendStream(request, response, answer.stream)
    else sendJson(response, answer.status, answer.body)
  }

  private sendStream(request: IncomingMessage, response: ServerResponse, begin: Stream): void {
    if (this.streams.size >= maxStreams) throw tooOften(`${maxStreams} streams are open already`, 1_000)
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' })
    response.flushHeaders()
    if (request.method === 'HEAD') {
      response.end()
      return
    }
    let stop: (() => void) | null = null
    let over = false
    const end = () => {
      over = true
      clearInterval(lifeSign)
      this.streams.delete(end)
      stop?.()
      response.end()
    }
    const write = (text: string) => {
      if (over) return
      if (!this.authenticator.recognises(request)) {
        response.destroy()
        return
      }
      response.write(text)
      if (response.writableLength > maxUnsentBytes) response.destroy()
    }
    const lifeSign = setInterval(() => write('\n'), lifeSignMs)
    this.streams.add(end)
    response.once('close', end)
    stop = begin((value) => write(`${JSON.stringify(value)}\n`), end)
    // It ended while it began, before there was anything to stop.
    if (over) stop()
  }
}

const nobody: Principal = { name: 'nobody', role: 'viewer', namespaces: [], service: null }

function sendJson(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  const text = `${JSON.stringify(body, null, 2)}\n`
  const always = {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  }
  response.writeHead(status, { ...always, 'content-length': Buffer.byteLength(text), ...headers })
  response.end(text)
}
