/** An upstream with so many places: each request holds one for its service time, further ones wait in their order. */
import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export class QueueingUpstream {
  private readonly waiting: ServerResponse[] = []
  private readonly server: Server
  private busy = 0

  private constructor(places: number, serviceMs: number) {
    const next = () => {
      const response = this.busy < places ? this.waiting.shift() : undefined
      if (response === undefined) return
      this.busy += 1
      setTimeout(() => {
        this.busy -= 1
        response.end('ok')
        next()
      }, serviceMs)
    }
    this.server = createServer((_, response) => {
      this.waiting.push(response)
      next()
    })
    this.server.keepAliveTimeout = 60_000
  }

  static async start({ places, serviceMs }: { places: number; serviceMs: number }): Promise<QueueingUpstream> {
    const upstream = new QueueingUpstream(places, serviceMs)
    upstream.server.listen(0, '127.0.0.1')
    await once(upstream.server, 'listening')
    return upstream
  }

  /** Requests that are here, waiting ones included. */
  get present(): number {
    return this.waiting.length + this.busy
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  async close(): Promise<void> {
    this.server.closeAllConnections()
    this.server.close()
  }
}
