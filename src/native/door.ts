/**
 * Requests that TypeScript takes in: each enters the engine's pipeline and is told what comes of it. One per thread,
 * for all proxies and doors of the thread; `native/binding/src/door.rs` says what crosses.
 *
 * Invariants: a call returns before the first event of its request comes; after the last event, or after `abort`, none
 * comes any more and the number is nobody's; an event's bytes are good during the call only.
 */
import type { Addon } from './index.js'

/** What is told of a request; the numbers are the engine's. */
export const doorEvent = {
  /** A 1xx answer. */
  informational: 0,
  /** The answer begins. */
  answer: 1,
  /** The whole answer. Last. */
  wholeAnswer: 2,
  /** More of the body. */
  body: 3,
  /** The end of the body. Last. */
  bodyEnd: 4,
  /** The request's body may go on. */
  drain: 5,
  /** What was sent of the answer must not look whole. Last. */
  broken: 6,
  /** A WebSocket of the door's own was let in; `head` is the request's. */
  socket: 7,
} as const

/** What an event has more when its head has a character beyond ASCII. */
const beyondAscii = 8

/**
 * Who is told of one request: `head` and `bytes` are null and `length` is -1 where the event has none; `ascii` says that
 * the head is nothing else.
 */
export interface DoorClient {
  told(event: number, head: string | null, bytes: Uint8Array | null, length: number, ascii: boolean): void
}

/** How a listener is asked for: the number that `doorListener` gave for its name, which all configurations keep. */
export interface DoorListener {
  proxy: number
  listener: number
}

/** A listener that requests can be sent to from this thread. */
export interface OpenDoor {
  addon: Addon
  place: DoorListener
}

const offers = new WeakMap<object, (listener: string) => OpenDoor>()

/** Says how a door of a proxy is opened, for whoever is handed the proxy as `owner`. */
export function offerDoors(owner: object, open: (listener: string) => OpenDoor): void {
  offers.set(owner, open)
}

/** Opens a door of a proxy; null when `owner` is none. Throws what the proxy says. */
export function doorOf(owner: object, listener: string): OpenDoor | null {
  return offers.get(owner)?.(listener) ?? null
}

/** The lowest bits of an exchange's number tell it from all others that live. */
const placeMask = 0xf_ffff

const clients: (DoorClient | undefined)[] = []
let listening: Addon | null = null

/** Finds a listener of a proxy that is served on this thread. */
export function openDoor(addon: Addon, proxy: number, name: string): DoorListener {
  if (listening === null) {
    addon.doorEvents(hear)
    listening = addon
  }
  return { proxy, listener: addon.doorListener(proxy, name) }
}

/**
 * Sends a request in. `head` is what HTTP/1.1 writes, up to the empty line, one character per byte; `more` says that a
 * body follows, by `doorBody`. Returns the number of the exchange; throws when the listener is not served.
 */
export function enterDoor(
  addon: Addon,
  { proxy, listener }: DoorListener,
  client: string,
  head: string,
  more: boolean,
  told: DoorClient,
): number {
  const exchange = addon.doorRequest(proxy, listener, client, head, more)
  clients[exchange & placeMask] = told
  return exchange
}

/**
 * Sends a request in that uWebSockets.js has read: `address` is the client's, binary, and `head` as the library has
 * decoded it from UTF-8. No answer has a `date`. Throws also when the head was not UTF-8.
 */
export function enterDoorFrom(
  addon: Addon,
  { proxy, listener }: DoorListener,
  address: ArrayBuffer,
  head: string,
  more: boolean,
  told: DoorClient,
): number {
  const exchange = addon.doorRequestFrom(proxy, listener, address, head, more)
  clients[exchange & placeMask] = told
  return exchange
}

/** Gives a request up: nothing more is told of it. Only before its last event. */
export function leaveDoor(addon: Addon, exchange: number): void {
  clients[exchange & placeMask] = undefined
  addon.doorAbort(exchange)
}

function hear(
  exchange: number,
  kind: number,
  head: string | null | undefined,
  bytes: Uint8Array | null | undefined,
  length: number,
): void {
  const place = exchange & placeMask
  const event = kind & (beyondAscii - 1)
  const client = clients[place]
  if (client === undefined) return
  if (event === doorEvent.wholeAnswer || event === doorEvent.bodyEnd || event === doorEvent.broken)
    clients[place] = undefined
  client.told(event, head ?? null, bytes ?? null, length, kind < beyondAscii)
}
