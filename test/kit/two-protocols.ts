/**
 * A service that takes HTTP/1.1 and HTTP/2 without TLS on one port and answers with the version that was spoken; it counts
 * pings of HTTP/2, and can fall silent: what is sent to it then is read by nobody.
 */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { createServer as createHttp2Server, type Http2Server } from 'node:http2'
import { type AddressInfo, connect, createServer as createNetServer, type Socket } from 'node:net'

const open = new Set<TwoProtocols>()

export class TwoProtocols {
  /** Connections, requests and pings. */
  readonly seen = { connections: 0, requests: 0, pings: 0, closed: 0 }
  private readonly http1: Server
  private readonly http2: Http2Server
  private readonly door = createNetServer((socket) => this.take(socket))
  private readonly sockets = new Set<Socket>()
  private readonly relayed: [from: Socket, to: Socket][] = []

  private constructor() {
    this.http1 = createServer((_, response) => {
      this.seen.requests += 1
      response.end('1.1')
    })
    // Whoever closes an idle connection, it is not the service.
    this.http1.keepAliveTimeout = 0
    this.http2 = createHttp2Server((_, response) => {
      this.seen.requests += 1
      response.end('2.0')
    })
    this.http2.on('session', (session) => session.on('ping', () => (this.seen.pings += 1)).on('error', () => {}))
    open.add(this)
  }

  static async start(): Promise<TwoProtocols> {
    const service = new TwoProtocols()
    for (const server of [service.door, service.http1, service.http2]) {
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
    }
    return service
  }

  get port(): number {
    return portOf(this.door)
  }

  /** Whatever is sent from now on over the connections that are open is not read. */
  fallSilent(): void {
    for (const [from, to] of this.relayed) {
      from.unpipe(to)
      // Read and dropped, so that the end of the connection is seen.
      from.resume()
      to.unpipe(from)
    }
  }

  async close(): Promise<void> {
    open.delete(this)
    for (const socket of this.sockets) socket.destroy()
    this.http1.closeAllConnections()
    for (const server of [this.door, this.http1, this.http2]) {
      server.close()
      await once(server, 'close')
    }
  }

  /** The first bytes say which protocol it is. */
  private take(socket: Socket): void {
    this.seen.connections += 1
    this.hold(socket).once('close', () => (this.seen.closed += 1))
    socket.once('data', (first) => {
      const server = first.toString('latin1').startsWith('PRI * HTTP/2.0') ? this.http2 : this.http1
      const inner = this.hold(connect(portOf(server), '127.0.0.1'))
      inner.write(first)
      socket.pipe(inner)
      inner.pipe(socket)
      this.relayed.push([socket, inner])
    })
  }

  private hold(socket: Socket): Socket {
    this.sockets.add(socket)
    return socket.on('error', () => socket.destroy()).on('close', () => this.sockets.delete(socket))
  }
}

export async function closeTwoProtocols(): Promise<void> {
  await Promise.all([...open].map((service) => service.close()))
}

function portOf(server: { address(): AddressInfo | string | null }): number {
  return (server.address() as AddressInfo).port
}
