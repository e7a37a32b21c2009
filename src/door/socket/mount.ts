/**
 * A listener's sockets on its uWebSockets.js app. Each upgrade goes through the pipeline first: its filters may refuse it,
 * and it is recorded like any request.
 *
 * Invariant: mounted before the app's catch-all route and before it listens.
 */
import type { AnySocket } from './define-socket.js'
import { handled } from './handled.js'
import type { Compression, SocketApp, UwsBehavior, UwsRequest, UwsResponse } from './library.js'
import type { Topics } from './topics.js'

/** An entry of `listeners[].sockets`, ready to serve. */
export interface MountedSocket {
  /** `/exact` or `/prefix/*`. */
  path: string
  /** What answers: a definition with its checked options, or what carries the messages to a cluster. */
  answer: Handler | Carrier
  maxMessageBytes: number
  maxBufferedBytes: number
  /** 0: never. */
  idleTimeoutMs: number
  compression: Compression
}

/** A line for the proxy's log; `fields` name the socket. */
export interface SocketLine {
  level: 'info' | 'warn'
  message: string
  fields: Record<string, string | number | boolean | null>
}

export type SocketLog = (line: SocketLine) => void

/** What of the engine's door a socket speaks to. */
export interface ExchangeDoor {
  /** False: nothing more before event 5. The bytes are copied during the call. */
  doorBody(exchange: number, bytes: Uint8Array, last: boolean): boolean
  doorPause(exchange: number): void
  doorResume(exchange: number): void
  doorAbort(exchange: number): void
}

/** What the sockets of a listener share with its HTTP door. */
export interface SocketPlace {
  listener: string
  topics: Topics
  /** How the engine's side of an exchange is spoken to. */
  door: ExchangeDoor
  log: SocketLog
  /**
   * Takes an upgrade request into the pipeline. A refusal, by a filter or an endpoint, is answered by the door itself;
   * an upgrade is told to `upgrade`, which from then on answers through `response`.
   */
  enter(response: UwsResponse, request: UwsRequest, upgrade: Upgrade): void
}

/** An upgrade request on its way. */
export interface Upgrade {
  /** Header lines that the pipeline sees instead of the client's; null: without them. */
  readonly changes: Readonly<Record<string, string | null>>
  /**
   * The pipeline took it (event 7, `head` is the request's) or an endpoint did (its answer has status 101, `head` is the
   * answer's). What the exchange tells after this goes to `event`.
   */
  accepted(exchange: number, head: string, client: string): void
  event(kind: number, bytes: Uint8Array | null): void
  /** The client is gone before it was upgraded; the door has aborted the exchange. */
  aborted(): void
}

/** The live sockets of one listener in this thread. */
export interface Sockets {
  count(): number
  /** Tells every client with 1001 that this end goes away. */
  leave(): void
}

export interface Handler {
  definition: AnySocket
  options: unknown
}

export type Carrier = (socket: MountedSocket, place: SocketPlace, live: LiveSet) => UwsBehavior

/** Open sockets of one listener in this thread. */
export class LiveSet extends Set<{ leave(): void }> {
  private readonly emptied: () => void

  constructor(emptied: () => void) {
    super()
    this.emptied = emptied
  }

  override delete(socket: { leave(): void }): boolean {
    const known = super.delete(socket)
    if (known && this.size === 0) this.emptied()
    return known
  }
}

/** `emptied` is told when the last one has gone. */
export function mountSockets(
  app: SocketApp,
  sockets: readonly MountedSocket[],
  place: SocketPlace,
  emptied: () => void = () => {},
): Sockets {
  const live = new LiveSet(emptied)
  for (const socket of sockets) {
    const { answer } = socket
    const behavior = typeof answer === 'function' ? answer(socket, place, live) : handled(socket, answer, place, live)
    app.ws(socket.path, behavior)
  }
  return {
    count: () => live.size,
    leave: () => {
      for (const socket of live) socket.leave()
    },
  }
}
