/**
 * One request of a dispatcher: its body on the way in, what the engine tells of the answer on the way out.
 *
 * Invariants: a handler is told of one end, `end` or `error`, and of nothing after it; nothing is told while it is
 * paused; the engine is told of an exchange that ends before its time, so that nothing of it is left.
 */
import { type Dispatcher, errors } from 'undici'
import { type DoorClient, doorEvent, enterDoor, leaveDoor, type OpenDoor } from '../native/door.js'
import { type AnswerHead, answerHead } from './answer-head.js'
import { chunkBytes, type RequestBody } from './request-body.js'
import type { RequestHead } from './request-head.js'
import type { Controls, ResponseHandler } from './response-handler.js'

const none = new Uint8Array(0)

/** What is to be told, in order, while a handler is paused. */
type Part = AnswerHead | Buffer | 'end'

export class DispatchedExchange implements DoorClient, Controls {
  private readonly door: OpenDoor
  private readonly handler: ResponseHandler
  private readonly finished: (exchange: DispatchedExchange) => void
  private readonly bodyTimeoutMs: number
  private number = -1
  /** The engine has more to tell. */
  private live = false
  private over = false
  private paused = false
  private telling = false
  private parts: Part[] = []
  private body: RequestBody | null = null
  private bodyRuns = false
  private goOn: (() => void) | null = null
  private timer: NodeJS.Timeout | null = null

  constructor(
    door: OpenDoor,
    handler: ResponseHandler,
    options: Dispatcher.DispatchOptions,
    finished: (exchange: DispatchedExchange) => void,
  ) {
    this.door = door
    this.handler = handler
    this.finished = finished
    this.bodyTimeoutMs = options.bodyTimeout ?? 0
    const { headersTimeout } = options
    if (headersTimeout) this.expect(headersTimeout, () => new errors.HeadersTimeoutError())
  }

  /** Sends the request in. The handler may give it up at once. */
  begin({ text, more }: RequestHead, body: RequestBody | null, announced: number | null): void {
    this.body = body
    this.guard(() => this.handler.start(this))
    if (this.over) return
    const { addon, place } = this.door
    try {
      this.number = enterDoor(addon, place, '', text, more, this)
    } catch (cause) {
      this.fail(new errors.ClientClosedError((cause as Error).message))
      return
    }
    this.live = true
    if (body?.bytes != null) {
      addon.doorBody(this.number, body.bytes, true)
      this.guard(() => this.handler.sent(body.bytes ?? none))
    } else if (body?.chunks != null && more) {
      void this.pump(body.chunks, announced)
      return
    }
    this.guard(() => this.handler.allSent())
  }

  told(event: number, head: string | null, bytes: Uint8Array | null, length: number): void {
    if (this.over) return
    if (event === doorEvent.drain) {
      this.goOn?.()
      return
    }
    const last = event === doorEvent.wholeAnswer || event === doorEvent.bodyEnd
    if (last || event === doorEvent.broken) this.live = false
    if (event === doorEvent.broken) {
      this.fail(new errors.SocketError('the answer was broken off'))
      return
    }
    if (head !== null) this.parts.push(answerHead(head, event === doorEvent.informational ? -1 : length))
    // A copy: the engine uses the memory again.
    if (bytes !== null) this.parts.push(Buffer.from(bytes))
    if (last) this.parts.push('end')
    this.flow()
  }

  abort(reason: Error): void {
    this.fail(reason)
  }

  pause(): void {
    if (this.paused || this.over) return
    this.paused = true
    this.clearTimer()
    if (this.live) this.door.addon.doorPause(this.number)
  }

  resume(): void {
    if (!this.paused || this.over) return
    this.paused = false
    if (this.live) this.door.addon.doorResume(this.number)
    this.flow()
  }

  /** Ends it with an error, wherever it is. */
  fail(error: Error): void {
    if (this.finish(error)) this.handler.error(error)
  }

  private flow(): void {
    if (this.telling) return
    this.telling = true
    this.guard(() => {
      while (!this.paused && !this.over) {
        const part = this.parts.shift()
        if (part === undefined) break
        if (part === 'end') {
          this.finish(null)
          this.handler.end()
        } else this.tell(part)
      }
    })
    this.telling = false
  }

  private tell(part: AnswerHead | Buffer): void {
    this.clearTimer()
    const goesOn = Buffer.isBuffer(part) ? this.handler.data(part) : this.handler.head(part)
    if (!goesOn) this.pause()
    else if (this.live && this.bodyTimeoutMs > 0) this.expect(this.bodyTimeoutMs, () => new errors.BodyTimeoutError())
  }

  private async pump(chunks: AsyncIterable<unknown> | Iterable<unknown>, announced: number | null): Promise<void> {
    this.bodyRuns = true
    let sent = 0
    try {
      for await (const chunk of chunks) {
        if (this.over || !this.live) return
        const bytes = chunkBytes(chunk)
        sent += bytes.length
        if (announced !== null && sent > announced) throw new errors.RequestContentLengthMismatchError()
        this.handler.sent(bytes)
        if (!this.door.addon.doorBody(this.number, bytes, false)) await this.drained()
        if (this.over || !this.live) return
      }
      if (announced !== null && sent !== announced) throw new errors.RequestContentLengthMismatchError()
      this.bodyRuns = false
      if (this.over || !this.live) return
      this.door.addon.doorBody(this.number, none, true)
      this.handler.allSent()
    } catch (error) {
      this.bodyRuns = false
      this.fail(error as Error)
    }
  }

  private drained(): Promise<void> {
    return new Promise((resolve) => {
      this.goOn = () => {
        this.goOn = null
        resolve()
      }
    })
  }

  /** False: it had ended already. */
  private finish(error: Error | null): boolean {
    if (this.over) return false
    this.over = true
    this.parts = []
    this.clearTimer()
    this.goOn?.()
    if (this.live) {
      this.live = false
      leaveDoor(this.door.addon, this.number)
    }
    this.stopBody(error)
    this.finished(this)
    return true
  }

  /** What is left of the body is not wanted any more, or was never asked for. */
  private stopBody(error: Error | null): void {
    const source = this.body?.chunks as {
      destroy?(error?: Error): void
      on?(event: string, then: () => void): void
    } | null
    if (source == null || (!this.bodyRuns && this.number >= 0) || typeof source.destroy !== 'function') return
    // Its own error would be told to nobody.
    source.on?.('error', () => {})
    source.destroy(error ?? undefined)
  }

  private expect(ms: number, late: () => Error): void {
    this.clearTimer()
    this.timer = setTimeout(() => this.fail(late()), ms)
  }

  private clearTimer(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
  }

  /** What a handler throws ends its own request and nothing else. */
  private guard(call: () => void): void {
    try {
      call()
    } catch (error) {
      if (this.over) throw error
      this.fail(error as Error)
    }
  }
}
