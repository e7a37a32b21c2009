/** A proxy that makes connections for others, asked by CONNECT or POST over HTTP/1.1 or HTTP/2; counts what it is asked. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createServer as createHttp2Server, type Http2Session, type ServerHttp2Stream } from 'node:http2'
import { type AddressInfo, connect, type Server } from 'node:net'
import type { Duplex } from 'node:stream'

const open = new Set<ConnectProxy>()

export class ConnectProxy {
  /** `CONNECT host:port`, one for each tunnel. */
  readonly asked: string[] = []
  private readonly server: Server
  private readonly ends = new Set<Pick<Duplex, 'destroy'> | Pick<Http2Session, 'destroy'>>()
  private readonly to: number

  /** Whatever it is asked for, it connects to `to`. */
  private constructor(version: '1.1' | '2', to: number) {
    this.to = to
    this.server = version === '1.1' ? this.http1() : this.http2()
    open.add(this)
  }

  static async start(version: '1.1' | '2', to: number): Promise<ConnectProxy> {
    const proxy = new ConnectProxy(version, to)
    proxy.server.listen(0, '127.0.0.1')
    await once(proxy.server, 'listening')
    return proxy
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  async close(): Promise<void> {
    open.delete(this)
    for (const end of this.ends) end.destroy()
    this.server.close()
    await once(this.server, 'close')
  }

  private http1(): Server {
    const server = createServer((request, response) => {
      this.asked.push(`${request.method} ${request.headers.host}`)
      response.writeHead(200)
      response.flushHeaders()
      this.forward(request, response)
    })
    server.on('connect', (request, socket: Duplex) => {
      this.asked.push(`CONNECT ${request.url}`)
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      this.forward(socket, socket)
    })
    return server.on('connection', (socket) => this.keep(socket))
  }

  private http2(): Server {
    const server = createHttp2Server()
    server.on('stream', (stream: ServerHttp2Stream, headers) => {
      this.asked.push(`${headers[':method']} ${headers[':authority']}`)
      stream.respond({ ':status': 200 })
      this.keep(stream)
      this.forward(stream, stream)
    })
    return server.on('session', (session) => {
      this.ends.add(session.on('error', () => session.destroy()).on('close', () => this.ends.delete(session)))
    }) as unknown as Server
  }

  private forward(from: NodeJS.ReadableStream, back: NodeJS.WritableStream): void {
    const upstream = connect(this.to, '127.0.0.1')
    this.keep(upstream)
    from.pipe(upstream)
    upstream.pipe(back)
  }

  private keep(end: Duplex): void {
    this.ends.add(end)
    end.on('error', () => end.destroy()).on('close', () => this.ends.delete(end))
  }
}

export async function closeProxies(): Promise<void> {
  await Promise.all([...open].map((proxy) => proxy.close()))
}
