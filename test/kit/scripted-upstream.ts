/**
 * An upstream that does what a test tells it, lies included: the test takes each accepted connection as a wire, or
 * gives a rule by which every request is answered.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { answer, type Message, readRequest } from './h1-message.js'
import { Truncated, Wire } from './wire.js'

export class ScriptedUpstream {
  readonly port: number
  /** Connections accepted so far. */
  accepted = 0
  /** Whole requests that a rule has answered. */
  seen: Message[] = []
  /** What a rule could not read as a request; a connection that merely ended is none. */
  readonly malformed: unknown[] = []
  private readonly server
  private readonly open = new Set<Wire>()
  private readonly ready: Wire[] = []
  private waiting: ((wire: Wire) => void)[] = []

  private constructor(server: ReturnType<typeof createServer>) {
    this.server = server
    this.port = (server.address() as AddressInfo).port
    server.on('connection', (socket) => {
      const wire = new Wire(socket)
      this.accepted += 1
      this.open.add(wire)
      socket.on('close', () => this.open.delete(wire))
      const next = this.waiting.shift()
      if (next === undefined) this.ready.push(wire)
      else next(wire)
    })
  }

  static async open(): Promise<ScriptedUpstream> {
    const server = createServer({ allowHalfOpen: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new ScriptedUpstream(server)
  }

  /** The next connection that was or will be accepted. */
  next(): Promise<Wire> {
    const wire = this.ready.shift()
    if (wire !== undefined) return Promise.resolve(wire)
    return new Promise((resolve) => this.waiting.push(resolve))
  }

  /** Answers every request on every connection by a rule from now on, and remembers the requests in `seen`. */
  answerAll(rule: (request: Message) => string = () => answer()): void {
    const serve = async (wire: Wire): Promise<void> => {
      try {
        for (;;) {
          const request = await readRequest(wire)
          this.seen.push(request)
          await wire.send(rule(request))
        }
      } catch (error) {
        if (!(error instanceof Truncated)) this.malformed.push(error)
        wire.finish()
      }
    }
    const accept = async (): Promise<void> => {
      for (;;) void serve(await this.next())
    }
    void accept()
  }

  /** Closes every connection and forgets those that nobody has taken, so that a test begins without an earlier one's. */
  clear(): void {
    for (const wire of this.open) wire.close()
    this.ready.length = 0
    this.seen = []
  }

  async close(): Promise<void> {
    this.clear()
    this.server.close()
    await once(this.server, 'close')
  }
}
