/**
 * One end of a TCP connection of which the test decides every byte, as a client or as an upstream.
 *
 * Invariants: nothing waits for time, only for bytes, the end or a reset; a wait that is not met in `patienceMs` fails
 * with what was received; both halves close on their own.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

const patienceMs = 10_000

/** How the other side ended its half: not yet, with FIN, or with RST. */
export type Ending = 'open' | 'fin' | 'reset'

export class Wire {
  /** Bytes received and not read yet, as latin-1 text. */
  unread = ''
  ending: Ending = 'open'
  readonly socket: Socket
  private wake: () => void = () => {}

  constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', (bytes: Buffer) => {
      this.unread += bytes.toString('latin1')
      this.wake()
    })
    socket.on('end', () => this.end('fin'))
    socket.on('error', () => this.end('reset'))
    socket.on('close', () => this.end('fin'))
  }

  static async connect(port: number): Promise<Wire> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    await once(socket, 'connect')
    return new Wire(socket)
  }

  private end(how: Ending): void {
    if (this.ending === 'open') this.ending = how
    this.wake()
  }

  /** Resolves once `condition` holds; checked whenever something was received. */
  async until(condition: () => boolean, what: string): Promise<void> {
    const deadline = setTimeout(() => this.wake(), patienceMs)
    const end = performance.now() + patienceMs
    while (!condition()) {
      if (performance.now() >= end) throw new Error(`${what} did not come; ${this.state()}`)
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
    clearTimeout(deadline)
  }

  state(): string {
    return `the other side is ${this.ending}, unread: ${JSON.stringify(this.unread.slice(0, 500))}`
  }

  /** The next `count` bytes; throws `Truncated` when the other side ends before. */
  async take(count: number): Promise<string> {
    await this.until(() => this.unread.length >= count || this.ending !== 'open', `${count} bytes`)
    if (this.unread.length < count) throw new Truncated(this.ending, this.unread)
    const taken = this.unread.slice(0, count)
    this.unread = this.unread.slice(count)
    return taken
  }

  /** Everything up to and with `mark`. */
  async takeThrough(mark: string): Promise<string> {
    await this.until(() => this.unread.includes(mark) || this.ending !== 'open', JSON.stringify(mark))
    const at = this.unread.indexOf(mark)
    if (at < 0) throw new Truncated(this.ending, this.unread)
    return this.take(at + mark.length)
  }

  /** Everything until the other side ends, however it does; see `ending`. */
  async takeRest(): Promise<string> {
    await this.ended()
    const rest = this.unread
    this.unread = ''
    return rest
  }

  async ended(): Promise<Ending> {
    await this.until(() => this.ending !== 'open', 'the end of the connection')
    return this.ending
  }

  /** Hands latin-1 text to the kernel; resolves when it has taken all of it. */
  async send(text: string): Promise<void> {
    await new Promise<void>((resolve) => {
      this.socket.write(text, 'latin1', () => resolve())
    })
  }

  /** Each byte in a write of its own. */
  async sendSingly(text: string): Promise<void> {
    for (const byte of text) await this.send(byte)
  }

  /** FIN; the other direction stays open. */
  finish(): void {
    this.socket.end()
  }

  /** RST. */
  reset(): void {
    this.socket.resetAndDestroy()
  }

  close(): void {
    this.socket.destroy()
  }
}

/** The other side ended amid a message. */
export class Truncated extends Error {
  readonly ending: Ending
  readonly received: string

  constructor(ending: Ending, received: string) {
    super(`ended (${ending}) amid a message, after ${JSON.stringify(received.slice(0, 500))}`)
    this.ending = ending
    this.received = received
  }
}
