/**
 * One request between a uWebSockets.js response and the engine: what the engine tells of the answer is written, with
 * backpressure both ways.
 *
 * Invariants: nothing touches the response once it is aborted or complete (it would throw); an answer's part is written
 * in one cork; at most one part waits for the client to take it, because the engine is paused meanwhile.
 */
import { type DoorClient, doorEvent, leaveDoor } from '../native/door.js'
import type { Addon } from '../native/index.js'
import { asHeaderLine, latin1 } from './answer-head.js'
import type { UwsResponse } from './uws.js'

const none = new Uint8Array(0)
/** A comment of an event stream: nothing to whoever reads it (HTML, section 9.2.6). */
const eventComment = Buffer.from(':\n')

/** Where a door counts what it has open. */
export interface OpenExchanges {
  open: number
  /** Connections end after their answer. */
  closing: boolean
  /** The last one may have ended. */
  ended(): void
}

/** What becomes of the connection: it goes on, the client has asked for its end, or nothing on it can be trusted. */
export type Keeping = 'kept' | 'asked-to-close' | 'doubtful'

export class HttpExchange implements DoorClient {
  number = -1
  private readonly addon: Addon
  private readonly door: OpenExchanges
  private readonly response: UwsResponse
  private readonly isHead: boolean
  private readonly keeping: Keeping
  private over = false
  /** The client's body waits for the engine. */
  private stopped = false
  /** 1xx heads were written. */
  private informed = false
  /** The head that was told last is nothing but ASCII. */
  private ascii = true
  /** Announced length of the body; -1 without one. */
  private length = -1
  /** What the client has not taken yet of a body with a length, and where in the body it begins. */
  private waiting: Uint8Array | null = null
  private waitingFrom = 0
  private written = 0
  private watching = false

  constructor(addon: Addon, door: OpenExchanges, response: UwsResponse, isHead: boolean, keeping: Keeping) {
    this.addon = addon
    this.door = door
    this.response = response
    this.isHead = isHead
    this.keeping = keeping
    door.open += 1
  }

  /** The client has gone. */
  abort(): void {
    if (this.over) return
    // The response must not be touched any more.
    this.stopped = false
    this.finish()
    leaveDoor(this.addon, this.number)
  }

  /** The response is a WebSocket's from now on. */
  handOver(): void {
    if (!this.over) this.finish()
  }

  /** Bytes of the request's body. */
  receive(chunk: ArrayBuffer, last: boolean): void {
    if (this.over || this.addon.doorBody(this.number, new Uint8Array(chunk), last) || last) return
    this.stopped = true
    this.response.pause()
  }

  /** The engine does not take the request. */
  refuse(status: string): void {
    if (this.over) return
    this.finish()
    this.response.cork(() => {
      this.response.writeStatus(status)
      this.response.end(none, true)
    })
  }

  told(event: number, head: string | null, bytes: Uint8Array | null, length: number, ascii: boolean): void {
    if (this.over) return
    this.ascii = ascii
    if (event === doorEvent.drain) this.goOn()
    else if (event === doorEvent.broken) this.breakOff()
    else {
      corked.exchange = this
      corked.event = event
      corked.head = head
      corked.bytes = bytes
      corked.length = length
      this.response.cork(writeCorked)
      corked.exchange = null
    }
  }

  /** A part of the answer, within a cork. */
  write(event: number, head: string | null, bytes: Uint8Array | null, length: number): void {
    if (event === doorEvent.wholeAnswer) this.writeWhole(head ?? '', bytes, length)
    else if (event === doorEvent.informational) this.inform(head ?? '')
    else if (event === doorEvent.answer) {
      this.length = length
      this.writeHead(head ?? '', this.closes())
      this.writeBody(bytes ?? firstBytes(head ?? '', length))
    } else if (event === doorEvent.body) this.writeBody(bytes ?? none)
    else this.writeEnd(bytes ?? none)
  }

  /** The library answers `expect: 100-continue` itself. */
  private inform(head: string): void {
    if (head.startsWith('100')) return
    if (this.informed) this.writeLine(head, '\r\n')
    else this.response.writeStatus(latin1(head))
    this.informed = true
  }

  private writeWhole(head: string, bytes: Uint8Array | null, length: number): void {
    const closes = this.closes()
    const status = head.slice(0, 3)
    if (!this.isHead && status !== '204' && status !== '304') {
      // The library writes the line when it is told to close, and does not where the client has asked it to.
      const asked = this.keeping === 'asked-to-close'
      this.writeHead(head, asked)
      this.finish()
      this.response.end(bytes ?? none, closes && !asked)
      return
    }
    // A length goes by a line of ours: told of one, the library takes the answer for unfinished; told to close, it
    // announces one of its own.
    const announced = length >= 0 && status !== '204' ? `${head}content-length: ${length}\r\n` : head
    this.writeHead(announced, closes)
    this.finish()
    this.response.endWithoutBody()
  }

  /** Whether the connection serves no further request. */
  private closes(): boolean {
    return this.keeping !== 'kept' || this.door.closing
  }

  private writeHead(head: string, closes: boolean): void {
    const lines = closes ? `${head}connection: close\r\n` : head
    if (this.informed) this.writeLine(lines, '')
    else {
      const status = lines.slice(0, -2)
      this.response.writeStatus(this.ascii ? status : latin1(status))
    }
  }

  /** A head where the library has its first one behind it; `end` ends it. */
  private writeLine(head: string, end: string): void {
    const [name, value] = asHeaderLine(head)
    this.response.writeHeader(latin1(name), latin1(value + end))
  }

  private writeBody(bytes: Uint8Array): void {
    if (this.length >= 0) this.offer(bytes)
    else if (!this.response.write(bytes)) this.await()
  }

  private writeEnd(bytes: Uint8Array): void {
    if (this.length >= 0) {
      this.offer(bytes)
      return
    }
    this.finish()
    this.response.end(bytes)
  }

  /** Bytes of a body with a length: the library takes as many as the client does. */
  private offer(bytes: Uint8Array): void {
    if (this.waiting !== null) {
      this.waiting = Buffer.concat([this.waiting, bytes])
      return
    }
    const from = this.written
    this.written += bytes.length
    const complete = this.written >= this.length
    if (complete) this.resumeBody()
    const [taken, done] = this.response.tryEnd(bytes, this.length)
    if (done) this.finish()
    else if (!taken) {
      // A copy: the bytes are valid during this call only.
      this.waiting = Uint8Array.from(bytes)
      this.waitingFrom = from
      this.await()
    }
  }

  /** Has the engine wait until the client takes more. */
  private await(): void {
    this.addon.doorPause(this.number)
    if (this.watching) return
    this.watching = true
    this.response.onWritable((offset) => this.takes(offset))
  }

  /** The client takes more. `offset`: bytes of the body that it has. */
  private takes(offset: number): boolean {
    if (this.over) return true
    const { waiting } = this
    if (waiting !== null) {
      const [taken, done] = this.response.tryEnd(waiting.subarray(offset - this.waitingFrom), this.length)
      if (done) {
        this.finish()
        return true
      }
      if (!taken) return false
      this.written = this.waitingFrom + waiting.length
      this.waiting = null
    } else {
      // Who listens has to drain: without a write of any kind the library's buffer would stay as it is.
      this.response.cork(nothing)
    }
    this.addon.doorResume(this.number)
    return true
  }

  private goOn(): void {
    if (!this.stopped) return
    this.stopped = false
    this.response.resume()
  }

  private breakOff(): void {
    this.finish()
    this.response.close()
  }

  /** What is left of a request that is answered already is read and dropped by the library. */
  private resumeBody(): void {
    if (this.stopped) this.goOn()
  }

  private finish(): void {
    this.resumeBody()
    this.over = true
    this.waiting = null
    this.door.open -= 1
    if (this.door.closing) this.door.ended()
  }
}

/** The arguments of the one cork that is open: a closure for each part would cost more than the part. */
const corked = {
  exchange: null as HttpExchange | null,
  event: 0,
  head: null as string | null,
  bytes: null as Uint8Array | null,
  length: -1,
}

function nothing(): void {}

/**
 * What an answer without a length begins with when nothing of its body is there yet: the library keeps the end of a head
 * until the first byte. The reader of an event stream may wait for the head long before there is an event.
 */
function firstBytes(head: string, length: number): Uint8Array {
  return length < 0 && eventStream.test(head) && !encoded.test(head) ? eventComment : none
}

const eventStream = /^content-type:[ \t]*text\/event-stream[ \t]*(?:;|\r)/im
const encoded = /^content-encoding:/im

function writeCorked(): void {
  corked.exchange?.write(corked.event, corked.head, corked.bytes, corked.length)
}
