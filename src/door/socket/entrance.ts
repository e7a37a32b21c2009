/**
 * The way of an upgrade request into the pipeline, and of what comes of it: an answer goes out like that of any request,
 * an upgrade goes to the socket that waits for it.
 *
 * Invariants: as for any exchange of a door, and after the last event nothing is asked of the engine.
 */
import { type DoorClient, type DoorListener, doorEvent, enterDoor, leaveDoor } from '../../native/door.js'
import type { Addon } from '../../native/index.js'
import { withoutDate } from '../answer-head.js'
import { clientAddress } from '../client-address.js'
import type { UwsRequest, UwsResponse } from './library.js'
import type { SocketLog, SocketPlace, Upgrade } from './mount.js'
import type { Topics } from './topics.js'

/** The answer to an upgrade request that becomes none. */
export interface RefusedUpgrade extends DoorClient {
  number: number
  /** The response belongs to a WebSocket from now on. */
  handOver(): void
  /** The client has gone; the exchange is left. */
  abort(): void
  refuse(status: string): void
}

export interface EntranceOptions {
  addon: Addon
  listener: DoorListener
  name: string
  topics: Topics
  log: SocketLog
  /** The door's exchange for a response. */
  exchange(response: UwsResponse): RefusedUpgrade
}

export class Entrance implements SocketPlace {
  readonly listener: string
  readonly topics: Topics
  readonly log: SocketLog
  readonly door: SocketPlace['door']
  private readonly options: EntranceOptions

  constructor(options: EntranceOptions) {
    const { addon, name, topics, log } = options
    this.options = options
    this.listener = name
    this.topics = topics
    this.log = log
    this.door = {
      doorBody: (exchange, bytes, last) => addon.doorBody(exchange, bytes, last),
      doorPause: (exchange) => addon.doorPause(exchange),
      doorResume: (exchange) => addon.doorResume(exchange),
      doorAbort: (exchange) => leaveDoor(addon, exchange),
    }
  }

  enter(response: UwsResponse, request: UwsRequest, upgrade: Upgrade): void {
    const { addon, listener } = this.options
    const client = clientAddress(response.getRemoteAddress())
    const entering = new Entering(addon, this.options.exchange(response), upgrade, client)
    response.onAborted(() => entering.abort())
    const head = headOf(request, upgrade.changes)
    if (request.getHeader('sec-websocket-version') !== '13') {
      entering.refuse('426 Upgrade Required')
      return
    }
    if (head === null) {
      entering.refuse('400 Bad Request')
      return
    }
    try {
      entering.number = enterDoor(addon, listener, client, head, true, entering)
    } catch {
      entering.refuse('503 Service Unavailable')
    }
  }
}

class Entering implements DoorClient {
  private readonly addon: Addon
  private readonly answer: RefusedUpgrade
  private readonly upgrade: Upgrade
  private readonly client: string
  private upgraded = false
  private over = false

  constructor(addon: Addon, answer: RefusedUpgrade, upgrade: Upgrade, client: string) {
    this.addon = addon
    this.answer = answer
    this.upgrade = upgrade
    this.client = client
  }

  set number(number: number) {
    this.answer.number = number
  }

  told(event: number, head: string | null, bytes: Uint8Array | null, length: number, ascii: boolean): void {
    this.over = event === doorEvent.wholeAnswer || event === doorEvent.bodyEnd || event === doorEvent.broken
    if (this.upgraded) {
      this.upgrade.event(event, bytes)
      return
    }
    if (event !== doorEvent.socket && (event !== doorEvent.answer || head?.startsWith('101') !== true)) {
      this.answer.told(event, head === null ? null : withoutDate(head), bytes, length, ascii)
      return
    }
    this.upgraded = true
    this.answer.handOver()
    this.upgrade.accepted(this.answer.number, head ?? '', this.client)
    if (bytes !== null) this.upgrade.event(doorEvent.body, bytes)
  }

  refuse(status: string): void {
    this.over = true
    this.answer.refuse(status)
  }

  abort(): void {
    if (!this.upgraded) {
      this.answer.abort()
      return
    }
    this.upgrade.aborted()
    if (!this.over) leaveDoor(this.addon, this.answer.number)
  }
}

/** Null when the library could not read it as UTF-8 and has changed it. */
function headOf(request: UwsRequest, changes: Upgrade['changes']): string | null {
  const query = request.getQuery()
  let head = `GET ${request.getUrl()}${query === undefined ? '' : `?${query}`} HTTP/1.1\r\n`
  request.forEach((name, value) => {
    if (changes[name] === undefined && !ours.includes(name)) head += `${name}: ${value}\r\n`
  })
  for (const [name, value] of Object.entries(changes)) if (value !== null) head += `${name}: ${value}\r\n`
  head += 'connection: upgrade\r\nupgrade: websocket\r\n\r\n'
  if (Buffer.byteLength(head) === head.length) return head
  return head.includes('\ufffd') ? null : Buffer.from(head).toString('latin1')
}

/** Lines that the library has judged already; a body before an upgrade is none. */
const ours: readonly string[] = ['connection', 'upgrade', 'content-length', 'transfer-encoding']
