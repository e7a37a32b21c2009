/**
 * A listener's sockets on its uWebSockets.js app. Each upgrade goes through the pipeline first: its filters may refuse it,
 * and it is recorded like any request.
 *
 * Invariant: mounted before the app's catch-all route and before it listens.
 */
import type { AnySocket, SocketContext } from './define-socket.js'
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
  log: SocketContext['log']
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

export type Carrier = (socket: MountedSocket, place: SocketPlace, live: Set<{ leave(): void }>) => UwsBehavior

export function mountSockets(app: SocketApp, sockets: readonly MountedSocket[], place: SocketPlace): Sockets {
  const live = new Set<{ leave(): void }>()
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
