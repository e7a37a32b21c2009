/**
 * The two styles of handlers that undici 7 knows, behind one: the present one with a controller, and the one before it,
 * which undici's own `fetch` and `request` still use. Trailers are not told: the engine's door drops them.
 */
import { type Dispatcher, errors } from 'undici'
import { type AnswerHead, headersByName, rawHeaders } from './answer-head.js'

/** What a handler may do with its request. */
export interface Controls {
  abort(reason: Error): void
  /** Nothing more is told until `resume`. */
  pause(): void
  resume(): void
}

export interface ResponseHandler {
  start(controls: Controls): void
  /** Also for each 1xx answer. False: wait for `resume`. */
  head(head: AnswerHead): boolean
  data(chunk: Buffer): boolean
  sent(chunk: Uint8Array): void
  allSent(): void
  end(): void
  error(error: Error): void
}

type Handler = Dispatcher.DispatchHandler & {
  onRequestSent?(): void
}

export function responseHandler(handler: Dispatcher.DispatchHandler): ResponseHandler {
  if (typeof handler !== 'object' || handler === null) {
    throw new errors.InvalidArgumentError('handler must be an object')
  }
  return handler.onRequestStart ? new Present(handler) : new Earlier(handler)
}

class Present implements ResponseHandler, Dispatcher.DispatchController {
  aborted = false
  paused = false
  reason: Error | null = null
  rawHeaders: Buffer[] | null = null
  rawTrailers: Buffer[] | null = null
  private readonly handler: Handler
  private controls: Controls | null = null

  constructor(handler: Handler) {
    this.handler = handler
  }

  abort(reason: Error): void {
    if (this.aborted) return
    this.aborted = true
    this.reason = reason
    this.controls?.abort(reason)
  }

  pause(): void {
    if (this.paused) return
    this.paused = true
    this.controls?.pause()
  }

  resume(): void {
    if (!this.paused) return
    this.paused = false
    this.controls?.resume()
  }

  start(controls: Controls): void {
    this.controls = controls
    this.handler.onRequestStart?.(this, {})
  }

  head({ status, reason, lines }: AnswerHead): boolean {
    this.rawHeaders = rawHeaders(lines)
    this.handler.onResponseStart?.(this, status, headersByName(lines), reason)
    return !this.paused
  }

  data(chunk: Buffer): boolean {
    this.handler.onResponseData?.(this, chunk)
    return !this.paused
  }

  sent(): void {}

  allSent(): void {}

  end(): void {
    this.handler.onResponseEnd?.(this, {})
  }

  error(error: Error): void {
    if (this.handler.onResponseError === undefined) throw error
    this.handler.onResponseError(this, error)
  }
}

class Earlier implements ResponseHandler {
  private readonly handler: Handler
  private controls: Controls | null = null

  constructor(handler: Handler) {
    this.handler = handler
  }

  start(controls: Controls): void {
    this.controls = controls
    this.handler.onConnect?.((reason) => controls.abort(reason ?? new errors.RequestAbortedError()))
  }

  head({ status, reason, lines }: AnswerHead): boolean {
    const resume = () => this.controls?.resume()
    return this.handler.onHeaders?.(status, rawHeaders(lines), resume, reason) !== false
  }

  data(chunk: Buffer): boolean {
    return this.handler.onData?.(chunk) !== false
  }

  sent(chunk: Uint8Array): void {
    // undici calls it with the chunk alone.
    ;(this.handler.onBodySent as ((chunk: Uint8Array) => void) | undefined)?.call(this.handler, chunk)
  }

  allSent(): void {
    this.handler.onRequestSent?.()
  }

  end(): void {
    this.handler.onComplete?.([])
  }

  error(error: Error): void {
    if (this.handler.onError === undefined) throw error
    this.handler.onError(error)
  }
}
