/** A service that speaks TLS and perhaps asks who is there: counts handshakes, and says who called. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'

/** Files. */
export interface KeyPair {
  certificate: string
  key: string
}

const open = new Set<TlsService>()

export class TlsService {
  /** Those that came as far as TLS or failed in it. */
  connections = 0
  requests = 0
  /** What handshakes ended with that failed. */
  readonly alerts: (string | undefined)[] = []
  private readonly server: Server

  private constructor(pair: KeyPair, clientCa: string | null) {
    const asks = clientCa === null ? {} : { ca: readFileSync(clientCa), requestCert: true, rejectUnauthorized: true }
    this.server = createServer({ ...read(pair), ...asks }, (request, response) => {
      this.requests += 1
      const socket = request.socket as TLSSocket
      const { subject } = socket.getPeerCertificate()
      response.end(`${socket.servername || 'no name'} for ${subject?.CN ?? 'nobody'}`)
    })
    this.server.on('connection', () => {
      this.connections += 1
    })
    this.server.on('tlsClientError', ({ code }: NodeJS.ErrnoException) => void this.alerts.push(code))
    open.add(this)
  }

  /** `clientCa`: whose clients are taken, and no others; null: nobody is asked. */
  static async start(pair: KeyPair, clientCa: string | null = null): Promise<TlsService> {
    const service = new TlsService(pair, clientCa)
    service.server.listen(0, '127.0.0.1')
    await once(service.server, 'listening')
    return service
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  /** Ends connections that nobody waits on. */
  endIdle(): void {
    this.server.closeIdleConnections()
  }

  async close(): Promise<void> {
    open.delete(this)
    this.server.closeAllConnections()
    this.server.close()
    await once(this.server, 'close')
  }
}

export async function closeTlsServices(): Promise<void> {
  await Promise.all([...open].map((service) => service.close()))
}

function read({ certificate, key }: KeyPair) {
  return { cert: readFileSync(certificate), key: readFileSync(key) }
}
