/**
 * An undici Dispatcher whose requests enter the engine from within the process: they take the routes, retries and limits
 * of a listener, and its filters see them, without a connection to it.
 *
 * The origin of a request names the service as the Host header; nothing is resolved. Trailers of an answer are not told.
 */
import { Dispatcher, errors } from 'undici'
import { WeftError } from '../errors.js'
import { doorOf, type OpenDoor } from '../native/door.js'
import type { WeftProxy } from '../proxy/embedded-proxy.js'
import { DispatchedExchange } from './exchange.js'
import { requestBody } from './request-body.js'
import { announcedLength, requestHead } from './request-head.js'
import { type ResponseHandler, responseHandler } from './response-handler.js'

export interface DispatcherOptions {
  /** Name of the listener whose routes and filters the requests take; one with `address: memory` has no others. */
  listener: string
}

/**
 * Makes a dispatcher of a proxy that serves on this thread's loop. Throws `WEFT_DISPATCHER_REFUSED` when it serves elsewhere or
 * has no such listener. It is closed by itself, and does not close the proxy.
 */
export function createDispatcher(proxy: WeftProxy, { listener }: DispatcherOptions): Dispatcher {
  const door = doorOf(proxy, listener)
  if (door !== null) return new MeshDispatcher(door)
  throw new WeftError('WEFT_DISPATCHER_REFUSED', 'this is no proxy of startProxy', {
    hint: 'give createDispatcher what startProxy returned, from the same copy of weftmesh',
  })
}

type Callback = () => void

class MeshDispatcher extends Dispatcher {
  private readonly door: OpenDoor
  private readonly open = new Set<DispatchedExchange>()
  /** While a request is open the process stays, also when nothing but a timer of the engine waits. */
  private readonly stay = setInterval(() => {}, 0x7fff_ffff).unref()
  private state: 'open' | 'closed' | 'destroyed' = 'open'
  private waiting: Callback[] = []

  constructor(door: OpenDoor) {
    super()
    this.door = door
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const told = responseHandler(handler)
    try {
      if (typeof options !== 'object' || options === null) {
        throw new errors.InvalidArgumentError('opts must be an object.')
      }
      if (this.state === 'destroyed') throw new errors.ClientDestroyedError()
      if (this.state === 'closed') throw new errors.ClientClosedError()
      this.send(options, told)
      return true
    } catch (error) {
      told.error(error as Error)
      return false
    }
  }

  private send(options: Dispatcher.DispatchOptions, told: ResponseHandler): void {
    const body = requestBody(options.body)
    const head = requestHead(options, body)
    const exchange = new DispatchedExchange(this.door, told, options, (ended) => this.ended(ended))
    if (this.open.size === 0) this.stay.ref()
    this.open.add(exchange)
    exchange.begin(head, body, announcedLength(head.text))
  }

  private ended(exchange: DispatchedExchange): void {
    this.open.delete(exchange)
    if (this.open.size > 0) return
    this.stay.unref()
    if (this.state !== 'open') this.settle()
  }

  /** Takes no more requests and waits for those that are open. */
  override close(callback: Callback): void
  override close(): Promise<void>
  override close(callback?: Callback): Promise<void> | void {
    if (callback === undefined) return new Promise((resolve) => this.close(resolve))
    if (this.state === 'open') this.state = 'closed'
    this.waiting.push(callback)
    if (this.open.size === 0) this.settle()
  }

  /** Ends the open requests with an error. */
  override destroy(error: Error | null, callback: Callback): void
  override destroy(callback: Callback): void
  override destroy(error: Error | null): Promise<void>
  override destroy(): Promise<void>
  override destroy(first?: Error | null | Callback, second?: Callback): Promise<void> | void {
    const [error, callback] = typeof first === 'function' ? [null, first] : [first ?? null, second]
    if (callback === undefined) return new Promise((resolve) => this.destroy(error, resolve))
    this.state = 'destroyed'
    this.waiting.push(callback)
    for (const exchange of [...this.open]) exchange.fail(error ?? new errors.ClientDestroyedError())
    this.settle()
  }

  private settle(): void {
    clearInterval(this.stay)
    const waiting = this.waiting
    this.waiting = []
    for (const callback of waiting) queueMicrotask(callback)
  }
}
