/**
 * WebSockets that a module answers: from the library's events to the handlers of `defineSocket`.
 *
 * Invariants: nothing that a handler throws gets past here; its socket alone is closed, with 1011. A definition's
 * `close` runs exactly once for each `open`.
 */
import type { SocketContext, UpgradeAnswer } from './define-socket.js'
import { compressions, type UwsBehavior, type UwsRequest, type UwsResponse, type UwsSocket } from './library.js'
import { LiveSocket, type Shared } from './live-socket.js'
import type { Handler, LiveSet, MountedSocket, SocketLine, SocketPlace, Upgrade } from './mount.js'
import { refuse, verdictOf } from './refuse.js'
import { UpgradeRequest } from './request.js'

export function handled(socket: MountedSocket, handler: Handler, place: SocketPlace, live: LiveSet): UwsBehavior {
  const entry = new Entry(socket, handler, place, live)
  return {
    ...boundsOf(socket),
    upgrade: (response, request, context) =>
      place.enter(response, request, new Entering(entry, response, request, context)),
    open: (connection) => entry.open(connection),
    message: (connection, data, isBinary) => entry.message(connection, data, isBinary),
    drain: (connection) => entry.drain(connection),
    close: (connection, code, reason) => entry.close(connection, code, reason),
  }
}

/** The library's own bounds are behind ours: a message within them is refused with a close code, one beyond is cut off. */
export function boundsOf({ maxMessageBytes, maxBufferedBytes, idleTimeoutMs, compression }: MountedSocket) {
  return {
    maxPayloadLength: maxMessageBytes * 2 + 65_536,
    maxBackpressure: maxBufferedBytes + maxMessageBytes + 65_536,
    idleTimeout: Math.ceil(idleTimeoutMs / 1000),
    sendPingsAutomatically: true,
    compression: compressions[compression],
  }
}

/** What all sockets of one path share. */
class Entry implements Shared {
  readonly topics
  readonly compress: boolean
  readonly maxBufferedBytes: number
  readonly definition
  readonly context: SocketContext
  private readonly socket: MountedSocket
  private readonly place: SocketPlace
  private readonly live: LiveSet

  constructor(socket: MountedSocket, handler: Handler, place: SocketPlace, live: LiveSet) {
    const { topics, listener } = place
    this.socket = socket
    this.place = place
    this.live = live
    this.topics = topics
    this.compress = socket.compression !== 'none'
    this.maxBufferedBytes = socket.maxBufferedBytes
    this.definition = handler.definition
    this.context = {
      options: handler.options,
      listener,
      publish: (topic, data) => topics.publish(topic, data),
      log: (message, fields) => this.log('info', message, fields),
    }
  }

  open(connection: UwsSocket): void {
    const socket = connection.live as LiveSocket
    socket.begin(connection)
    this.live.add(socket)
    this.run(socket, 'open', () => this.definition.open?.(socket, this.context))
  }

  message(connection: UwsSocket, data: ArrayBuffer, isBinary: boolean): void {
    const socket = connection.live as LiveSocket
    if (socket.closing) return
    if (data.byteLength > this.socket.maxMessageBytes) {
      this.log('warn', 'a message is too large; its socket is closed', { bytes: data.byteLength })
      socket.close(1009, `a message may have ${this.socket.maxMessageBytes} bytes`)
      return
    }
    const { message } = this.definition
    if (message === undefined) return
    const bytes = Buffer.from(data)
    // The library's bytes are gone when this returns; a handler may keep what it is given.
    const given = isBinary ? Buffer.from(bytes) : bytes.toString()
    this.run(socket, 'message', () => message(socket, given, isBinary, this.context))
  }

  drain(connection: UwsSocket): void {
    const { drain } = this.definition
    const socket = connection.live as LiveSocket
    if (socket.drained() && drain !== undefined) this.run(socket, 'drain', () => drain(socket, this.context))
  }

  close(connection: UwsSocket, code: number, reason: ArrayBuffer): void {
    const socket = connection.live as LiveSocket
    const text = Buffer.from(reason).toString()
    socket.end()
    this.live.delete(socket)
    this.run(socket, 'close', () => this.definition.close?.(socket, code, text, this.context))
  }

  slow(socket: LiveSocket): void {
    this.log('warn', 'a client takes less than it is sent; its socket is closed', {
      bufferedBytes: socket.bufferedBytes,
    })
    // Not inside of whatever sends: the close handler may send in its turn.
    setImmediate(() => socket.close(1013, 'too slow'))
  }

  failed(handler: string, error: unknown): void {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.log('warn', `a socket's ${handler} handler failed`, { error: message })
  }

  private log(level: SocketLine['level'], message: string, fields: SocketLine['fields'] = {}): void {
    this.place.log({
      level,
      message,
      fields: { ...fields, socket: this.definition.name, listener: this.place.listener },
    })
  }

  private run(socket: LiveSocket, handler: string, call: () => unknown): void {
    const failed = (error: unknown) => {
      this.failed(handler, error)
      socket.close(1011, 'internal error')
    }
    try {
      const returned = call()
      if (returned instanceof Promise) returned.catch(failed)
    } catch (error) {
      failed(error)
    }
  }

  /** Says 101 or the status of a refusal to the exchange that waits for it. */
  answer(exchange: number, status: number): void {
    this.place.door.doorBody(exchange, Buffer.from(String(status)), true)
  }
}

/** One request on its way to become a socket. */
class Entering implements Upgrade {
  readonly changes = {}
  private readonly entry: Entry
  private readonly response: UwsResponse
  private readonly libraryContext: unknown
  private readonly key: string
  private readonly protocol: string
  private readonly extensions: string
  private gone = false

  constructor(entry: Entry, response: UwsResponse, request: UwsRequest, libraryContext: unknown) {
    this.entry = entry
    this.response = response
    this.libraryContext = libraryContext
    this.key = request.getHeader('sec-websocket-key')
    this.extensions = request.getHeader('sec-websocket-extensions')
    const offered = request.getHeader('sec-websocket-protocol').split(',')
    const names = offered.map((name) => name.trim())
    this.protocol = entry.definition.protocols?.find((name) => names.includes(name)) ?? ''
  }

  accepted(exchange: number, head: string, client: string): void {
    const request = new UpgradeRequest(head, client)
    const { definition, context } = this.entry
    try {
      const answer = definition.upgrade?.(request, context)
      if (answer instanceof Promise) {
        answer.then(
          (answer) => this.decide(exchange, request, answer),
          (error) => this.fail(exchange, error),
        )
      } else this.decide(exchange, request, answer)
    } catch (error) {
      this.fail(exchange, error)
    }
  }

  event(): void {}

  aborted(): void {
    this.gone = true
  }

  private decide(exchange: number, request: UpgradeRequest, answer: unknown): void {
    if (this.gone) return
    if (answer !== undefined && answer !== null) {
      const verdict = verdictOf(answer)
      if (typeof verdict === 'string') this.fail(exchange, new TypeError(verdict))
      else this.refuse(exchange, verdict)
      return
    }
    const socket = new LiveSocket(request, this.entry)
    try {
      socket.state = this.entry.definition.state?.(request, this.entry.context)
    } catch (error) {
      this.fail(exchange, error)
      return
    }
    this.gone = true
    this.entry.answer(exchange, 101)
    this.response.cork(() => {
      this.response.upgrade({ live: socket }, this.key, this.protocol, this.extensions, this.libraryContext)
    })
  }

  private fail(exchange: number, error: unknown): void {
    this.entry.failed('upgrade', error)
    if (!this.gone) this.refuse(exchange, { status: 500, body: 'the handler of this path failed\n' })
  }

  private refuse(exchange: number, answer: UpgradeAnswer): void {
    this.gone = true
    this.entry.answer(exchange, answer.status)
    refuse(this.response, answer)
  }
}
