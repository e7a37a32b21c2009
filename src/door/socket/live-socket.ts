/**
 * One open WebSocket, as its handlers hold it.
 *
 * Invariants: after the close every call is without effect; no handler runs inside of a call of this class, because a
 * socket that turns out to be slow is closed in the next turn of the loop.
 */
import type { Socket, SocketRequest } from './define-socket.js'
import { type Ending, endGently } from './ending.js'
import { type UwsSocket, worthCompressing } from './library.js'
import type { Subscriber, Topics } from './topics.js'

/** What the sockets of one entry share. */
export interface Shared {
  topics: Topics
  compress: boolean
  maxBufferedBytes: number
  /** A client takes less than it is sent. */
  slow(socket: LiveSocket): void
}

export class LiveSocket implements Socket, Subscriber {
  state: unknown
  readonly request: SocketRequest
  private readonly shared: Shared
  private connection: UwsSocket | null = null
  /** It is being closed: it gets nothing more, so that what it got has no gap. */
  private overdue = false
  private topics: Set<string> | null = null
  private ending: Ending | null = null

  constructor(request: SocketRequest, shared: Shared) {
    this.request = request
    this.shared = shared
  }

  /** The connection is there. */
  begin(connection: UwsSocket): void {
    this.connection = connection
  }

  /** The connection is gone. */
  end(): void {
    this.connection = null
    this.ending?.over()
    for (const topic of this.topics ?? []) this.shared.topics.unsubscribe(topic, this)
    this.topics = null
  }

  get bufferedBytes(): number {
    return this.connection?.getBufferedAmount() ?? 0
  }

  get closed(): boolean {
    return this.connection === null
  }

  /** What its client still sends is of no interest. */
  get closing(): boolean {
    return this.overdue
  }

  send(data: string | Uint8Array): boolean {
    return this.write(data, typeof data !== 'string')
  }

  deliver(data: Uint8Array, isBinary: boolean): void {
    this.write(data, isBinary)
  }

  close(code = 1000, reason = ''): void {
    if (!isCloseCode(code)) throw new RangeError(`${code} is not a close code: 1000 to 1014, or 3000 to 4999`)
    const { connection } = this
    if (connection === null || this.ending !== null) return
    this.overdue = true
    this.ending = endGently(connection, code, cutTo(reason, 123))
  }

  /** What was buffered has become less. False: it is being closed. */
  drained(): boolean {
    this.ending?.drained()
    return !this.overdue
  }

  leave(): void {
    this.close(1001, 'going away')
  }

  subscribe(topic: string): boolean {
    if (this.connection === null || !this.shared.topics.subscribe(topic, this)) return false
    this.topics ??= new Set()
    this.topics.add(topic)
    return true
  }

  unsubscribe(topic: string): boolean {
    this.topics?.delete(topic)
    return this.shared.topics.unsubscribe(topic, this)
  }

  publish(topic: string, data: string | Uint8Array): void {
    this.shared.topics.publish(topic, data, this)
  }

  private write(data: string | Uint8Array, isBinary: boolean): boolean {
    const { connection } = this
    if (connection === null || this.overdue) return false
    const sent = connection.send(data, isBinary, this.shared.compress && worthCompressing(data.length))
    if (sent === 1) return true
    if (sent === 2 || connection.getBufferedAmount() > this.shared.maxBufferedBytes) {
      this.overdue = true
      this.shared.slow(this)
    }
    return false
  }
}

/** Codes that may stand in a close frame (RFC 6455 section 7.4). */
export function isCloseCode(code: number): boolean {
  if (!Number.isInteger(code)) return false
  return (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999)
}

/** At most so many bytes of UTF-8, whole characters. */
export function cutTo(text: string, bytes: number): string {
  if (text.length <= bytes / 3) return text
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(bytes))
  return text.slice(0, read)
}
