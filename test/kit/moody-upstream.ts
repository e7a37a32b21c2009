/** An upstream whose mood a test sets: how it answers requests and health checks, whether at once, late or by a reset. */
import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A status to answer with, `reset` for none, `hold` to wait until the test answers. */
export type Mood = number | 'reset' | 'hold'

const open = new Set<MoodyUpstream>()

export class MoodyUpstream {
  mood: Mood = 200
  /** Header lines of every answer. */
  headers: Record<string, string> = {}
  /** What a health check is answered. */
  health = 200
  /** Header lines of its answer. */
  healthHeaders: Record<string, string> = {}
  served = 0
  /** Moments of the health checks, ms. */
  readonly checks: number[] = []
  readonly held: ServerResponse[] = []
  private readonly server: Server

  private constructor(name: string) {
    this.server = createServer((request, response) => {
      if (request.headers['user-agent'] === 'weft-health-check') {
        this.checks.push(performance.now())
        response.writeHead(this.health, this.healthHeaders).end()
        return
      }
      this.served += 1
      if (this.mood === 'reset') request.socket.resetAndDestroy()
      else if (this.mood === 'hold') this.held.push(response)
      else response.writeHead(this.mood, this.headers).end(name)
    })
  }

  static async start(name: string): Promise<MoodyUpstream> {
    const upstream = new MoodyUpstream(name)
    upstream.server.listen(0, '127.0.0.1')
    await once(upstream.server, 'listening')
    open.add(upstream)
    return upstream
  }

  async close(): Promise<void> {
    open.delete(this)
    this.server.closeAllConnections()
    this.server.close()
    await once(this.server, 'close')
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }
}

/** For `afterEach`. */
export async function closeMoody(): Promise<void> {
  await Promise.all([...open].map((upstream) => upstream.close()))
}
