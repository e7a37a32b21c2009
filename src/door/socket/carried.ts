/**
 * WebSockets that a cluster answers: whole messages between a client's socket and a WebSocket of the door's own, which
 * runs through the pipeline as an exchange with an upgrade, so that routing, balancing, limits and the record are its.
 *
 * Invariants: pings are answered end to end, close codes go through; an endpoint that sends faster than its client reads
 * is paused, a client that sends faster than its endpoint reads is closed with 1013, because it cannot be paused.
 */
import { createHash } from 'node:crypto'
import { doorEvent } from '../../native/door.js'
import { type Ending, endGently } from './ending.js'
import { FrameOutlet } from './frame-outlet.js'
import { Frames, type Receiver, type Sender } from './frames.js'
import { boundsOf } from './handled.js'
import { type UwsBehavior, type UwsRequest, type UwsResponse, type UwsSocket, worthCompressing } from './library.js'
import { cutTo, isCloseCode } from './live-socket.js'
import type { LiveSet, MountedSocket, SocketLine, SocketPlace, Upgrade } from './mount.js'
import { refuse } from './refuse.js'
import { UpgradeRequest } from './request.js'

/** Above the first an endpoint is paused, below the second it goes on. */
const pauseAboveBytes = 65_536
const resumeBelowBytes = 16_384
/** How long an endpoint may take to answer a close. */
const closeMs = 5_000

export function carried(socket: MountedSocket, place: SocketPlace, live: LiveSet): UwsBehavior {
  const of = (connection: UwsSocket) => connection.live as Carried
  return {
    ...boundsOf(socket),
    upgrade: (response, request, context) =>
      place.enter(response, request, new Carried(socket, place, live, { response, request, context })),
    open: (connection) => of(connection).opened(connection),
    message: (connection, data, isBinary) => of(connection).fromClient(data, isBinary),
    drain: (connection) => of(connection).drained(),
    close: (connection, code, reason) => of(connection).clientClosed(code, reason),
    ping: (connection, data) => of(connection).clientPings(data),
    pong: (connection, data) => of(connection).clientPongs(data),
  }
}

interface Asked {
  response: UwsResponse
  request: UwsRequest
  context: unknown
}

class Carried implements Upgrade {
  readonly changes: Readonly<Record<string, string | null>>
  private readonly socket: MountedSocket
  private readonly place: SocketPlace
  private readonly live: LiveSet
  private readonly frames: Frames
  private readonly asked: { response: UwsResponse; context: unknown; key: string; extensions: string }
  private exchange = -1
  private connection: UwsSocket | null = null
  private receiver: Receiver | null = null
  private sender: Sender | null = null
  private outlet: FrameOutlet | null = null
  /** What the endpoint wants to hear back from the client. */
  private pinged: Buffer | null = null
  private isCorked = false
  private readonly closing: { asked: (() => void) | null } = { asked: null }
  private paused = false
  /** Bytes of messages that wait for their compression. */
  private compressing = 0
  private closeSent = false
  private ending: Ending | null = null
  private giveUp: NodeJS.Timeout | null = null

  constructor(socket: MountedSocket, place: SocketPlace, live: LiveSet, { response, request, context }: Asked) {
    this.socket = socket
    this.place = place
    this.live = live
    this.frames = new Frames(socket.compression !== 'none', socket.maxMessageBytes)
    const extensions = request.getHeader('sec-websocket-extensions')
    this.asked = { response, context, key: request.getHeader('sec-websocket-key'), extensions }
    // Extensions are between two neighbours.
    this.changes = { 'sec-websocket-extensions': this.frames.offer() }
  }

  accepted(exchange: number, head: string): void {
    this.exchange = exchange
    const { headers } = new UpgradeRequest(head, '')
    const { response, context, key, extensions } = this.asked
    this.outlet = new FrameOutlet(this.place.door, exchange)
    try {
      if (headers.get('sec-websocket-accept') !== acceptOf(key)) throw new Error('the endpoint did not accept the key')
      const { receiver, sender } = this.frames.begin(headers.get('sec-websocket-extensions'), this.outlet)
      this.receiver = receiver
      this.sender = sender
    } catch (error) {
      this.abandon()
      this.log('an endpoint does not speak WebSocket', { error: (error as Error).message })
      refuse(response, { status: 502, body: 'the endpoint does not speak WebSocket\n' })
      return
    }
    this.listen(this.receiver)
    this.sender.onerror = (error) => this.broken(1002, error)
    const protocol = headers.get('sec-websocket-protocol') ?? ''
    response.cork(() => response.upgrade({ live: this }, key, protocol, extensions, context))
  }

  opened(connection: UwsSocket): void {
    this.connection = connection
    this.live.add(this)
  }

  /** What the endpoint sent. */
  event(kind: number, bytes: Uint8Array | null): void {
    if (kind === doorEvent.drain) this.outlet?.drained()
    if (bytes !== null && this.receiver !== null) {
      const { receiver, connection } = this
      // The event's bytes are good during its call only, and the codec keeps what is no whole message.
      const own = Buffer.from(bytes)
      // All messages of one read go out in one write.
      if (connection === null) receiver.write(own)
      else this.corked(connection, () => receiver.write(own))
      this.pause()
    }
    if (kind === doorEvent.bodyEnd || kind === doorEvent.broken) this.exchange = -1
    if (kind === doorEvent.broken || (kind === doorEvent.bodyEnd && this.receiver === null)) this.endpointGone()
    // Compressed messages are still being read.
    else if (kind === doorEvent.bodyEnd) this.receiver?.end(() => this.endpointGone())
  }

  aborted(): void {
    this.over()
  }

  /** Without a close frame before it: 1014, a gateway whose endpoint failed. */
  private endpointGone(): void {
    this.over()
    this.closeClient(1014, 'the endpoint ended the connection')
  }

  fromClient(data: ArrayBuffer, isBinary: boolean): void {
    const { sender, outlet } = this
    if (sender === null || outlet === null || this.closeSent || this.ending !== null) return
    const { maxMessageBytes, maxBufferedBytes } = this.socket
    if (data.byteLength > maxMessageBytes) {
      this.log('a message of a client is too large; its socket is closed', { bytes: data.byteLength })
      this.closeClient(1009, `a message may have ${maxMessageBytes} bytes`)
      return
    }
    const compress = this.frames.compressed
    // The codec copies while it masks; while it compresses it reads on after this call.
    if (compress) {
      const copy = Buffer.from(Buffer.from(data))
      this.compressing += copy.length
      sender.send(copy, { binary: isBinary, compress, mask: true, fin: true }, () => {
        this.compressing -= copy.length
      })
    } else sender.send(Buffer.from(data), { binary: isBinary, compress, mask: true, fin: true })
    if (outlet.waiting > maxBufferedBytes) outlet.flush()
    const bytes = outlet.waiting + this.compressing
    if (bytes - data.byteLength <= maxBufferedBytes) return
    this.log('a client sends more than its endpoint takes; its socket is closed', { bytes })
    this.abandon()
    this.closeClient(1013, 'the endpoint is too slow')
  }

  clientPings(data: ArrayBuffer): void {
    if (!this.closeSent) this.sender?.ping(Buffer.from(Buffer.from(data)), true)
  }

  /** The door's own pings have pongs too; only what the endpoint asked for goes back to it. */
  clientPongs(data: ArrayBuffer): void {
    const bytes = Buffer.from(data)
    if (this.closeSent || this.pinged === null || !this.pinged.equals(bytes)) return
    this.sender?.pong(this.pinged, true)
    this.pinged = null
  }

  clientClosed(code: number, reason: ArrayBuffer): void {
    this.connection = null
    this.ending?.over()
    this.live.delete(this)
    if (code === 1006) this.abandon()
    else this.closeEndpoint(code, Buffer.from(Buffer.from(reason)))
  }

  drained(): void {
    const { connection } = this
    this.ending?.drained()
    if (!this.paused || connection === null || connection.getBufferedAmount() > resumeBelowBytes) return
    if (this.receiver?.writableNeedDrain === true) return
    this.resume()
  }

  leave(): void {
    this.closeClient(1001, 'going away')
  }

  private listen(receiver: Receiver): void {
    receiver.on('message', (data, isBinary) => {
      this.connection?.send(data, isBinary, this.socket.compression !== 'none' && worthCompressing(data.length))
    })
    receiver.on('ping', (data) => {
      this.pinged = data
      this.connection?.ping(data)
    })
    receiver.on('conclude', (code, reason) => {
      this.receiver = null
      this.closeEndpoint(code, reason)
      this.outlet?.finish()
      this.closeClient(isCloseCode(code) ? code : 0, cutTo(reason.toString(), 123))
    })
    receiver.on('drain', () => this.drained())
    receiver.on('error', (error) => this.broken(codeOf(error), error))
  }

  private pause(): void {
    const { connection, receiver } = this
    if (this.paused || connection === null) return
    if (connection.getBufferedAmount() <= pauseAboveBytes && receiver?.writableNeedDrain !== true) return
    if (this.exchange === -1) return
    this.paused = true
    this.place.door.doorPause(this.exchange)
  }

  private resume(): void {
    this.paused = false
    if (this.exchange !== -1) this.place.door.doorResume(this.exchange)
  }

  /** The endpoint broke the protocol or a bound: it is told why, the client that its endpoint failed. */
  private broken(code: number, error: Error): void {
    this.receiver = null
    this.log('an endpoint broke the WebSocket protocol or a bound; both sides are closed', {
      error: error.message,
      code,
    })
    this.closeEndpoint(code, Buffer.from(cutTo(error.message, 123)))
    this.outlet?.finish()
    this.closeClient(1014, 'the endpoint sent what cannot be passed on')
  }

  private log(message: string, fields: SocketLine['fields']): void {
    const { place, socket } = this
    place.log({ level: 'warn', message, fields: { ...fields, path: socket.path, listener: place.listener } })
  }

  private corked(connection: UwsSocket, write: () => void): void {
    this.isCorked = true
    connection.cork(write)
    this.isCorked = false
    const { asked } = this.closing
    this.closing.asked = null
    asked?.()
  }

  private closeClient(code: number, reason: string): void {
    if (this.connection === null || this.ending !== null) return
    // Within a cork the library would leave the connection open behind its close frame.
    if (this.isCorked) {
      this.closing.asked ??= () => this.closeClient(code, reason)
      return
    }
    this.ending = endGently(this.connection, code, reason)
  }

  private closeEndpoint(code: number, reason: Buffer): void {
    if (this.closeSent || this.sender === null || this.outlet === null) return
    this.closeSent = true
    const coded = isCloseCode(code)
    this.sender.close(coded ? code : undefined, coded ? reason : undefined, true)
    this.giveUp = setTimeout(() => this.abandon(), closeMs)
    this.giveUp.unref()
    if (this.paused) this.resume()
  }

  /** Breaks the exchange off. */
  private abandon(): void {
    const { exchange } = this
    if (exchange !== -1) this.place.door.doorAbort(exchange)
    this.over()
  }

  /** The exchange has ended. */
  private over(): void {
    this.exchange = -1
    if (this.giveUp !== null) clearTimeout(this.giveUp)
    if (this.outlet !== null) this.outlet.destroyed = true
    this.frames.end()
    this.receiver = null
    this.sender = null
    this.outlet = null
  }
}

/** RFC 6455 section 4.2.2. */
function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
}

function codeOf({ code = '' }: { code?: string }): number {
  if (/_LENGTH$/.test(code) && code !== 'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH') return 1009
  if (code === 'WS_ERR_TOO_MANY_BUFFERED_PARTS') return 1008
  return code === 'WS_ERR_INVALID_UTF8' ? 1007 : 1002
}
