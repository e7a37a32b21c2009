/**
 * The HTTP door of one listener on this thread: every request that uWebSockets.js reads enters the engine's pipeline,
 * whose parser judges its head once more.
 *
 * Invariants: `onAborted` is set before a request's handler returns; what the library has made of the client's framing is
 * not passed on, its own is; a connection whose framing is in doubt serves no further request.
 */
import { type DoorListener, enterDoorFrom, openDoor } from '../native/door.js'
import type { Addon } from '../native/index.js'
import { HttpExchange, type Keeping, type OpenExchanges } from './http-exchange.js'
import { Entrance } from './socket/entrance.js'
import { type MountedSocket, mountSockets, type SocketLog, type Sockets } from './socket/mount.js'
import type { Topics } from './socket/topics.js'
import { type Listening, listen, newApp, sharedPort, type UwsApp, type UwsRequest, type UwsResponse } from './uws.js'

/** How long a door that goes waits for requests that are on their way, as the native listener does. */
const quietMs = 250

export interface HttpDoorOptions {
  addon: Addon
  proxy: number
  /** The listener's name. */
  name: string
  host: string
  port: number
  /** WebSockets that end here. */
  sockets: readonly MountedSocket[]
  topics: Topics
  log: SocketLog
}

export class HttpDoor implements OpenExchanges {
  open = 0
  closing = false
  private tellGone: () => void = () => {}
  /** Resolves when the door is closed. */
  readonly gone = new Promise<void>((resolve) => {
    this.tellGone = resolve
  })
  private readonly addon: Addon
  private readonly listener: DoorListener
  private readonly app: UwsApp
  private readonly listening: Listening
  private readonly sockets: Sockets
  private quiet: NodeJS.Timeout | null = null
  private closed = false

  /** Throws when the address cannot be taken. */
  constructor({ addon, proxy, name, host, port, sockets, topics, log }: HttpDoorOptions) {
    this.addon = addon
    this.listener = openDoor(addon, proxy, name)
    this.app = newApp()
    const exchange = (response: object) => new HttpExchange(addon, this, response as UwsResponse, false, 'doubtful')
    const entrance = new Entrance({ addon, listener: this.listener, name, topics, log, exchange })
    this.sockets = mountSockets(this.app, sockets, entrance, () => this.ended())
    // Most requests by a way of their own: the library would make a string of the method each time it is asked.
    this.app.get('/*', (response, request) => this.enter(response, request, 'GET'))
    this.app.any('/*', (response, request) => this.enter(response, request, request.getCaseSensitiveMethod()))
    this.listening = listen(this.app, host, port, sharedPort)
  }

  /** Accepts no more; connections end after their answer, and the door with the last of them. */
  leave(): void {
    this.closing = true
    this.listening.stop()
    this.sockets.leave()
    this.quiet = setTimeout(() => {
      this.quiet = null
      this.ended()
    }, quietMs)
  }

  ended(): void {
    if (!this.closing || this.open > 0 || this.sockets.count() > 0 || this.quiet !== null || this.closed) return
    // Not from within the library's own call, in which the last answer may still be on its way.
    setImmediate(() => this.close())
  }

  /** At once, with every connection. */
  close(): void {
    if (this.quiet !== null) clearTimeout(this.quiet)
    if (this.closed) return
    this.closing = true
    this.closed = true
    this.app.close()
    this.tellGone()
  }

  private enter(response: UwsResponse, request: UwsRequest, method: string): void {
    readHead(request, method)
    const { head, body, keeping } = read
    const exchange = new HttpExchange(this.addon, this, response, method === 'HEAD', keeping)
    response.onAborted(() => exchange.abort())
    try {
      exchange.number = enterDoorFrom(this.addon, this.listener, response.getRemoteAddress(), head, body, exchange)
    } catch {
      // The library puts this character where it could not read a byte as UTF-8: the head is not the client's any more.
      exchange.refuse(head.includes('\ufffd') ? '400 Bad Request' : '503 Service Unavailable')
      return
    }
    if (body) response.onData((chunk, last) => exchange.receive(chunk, last))
  }
}

/** What was read of the request whose handler runs. */
const read = { head: '', body: false, framed: false, connected: false, keeping: 'kept' as Keeping }

function readHead(request: UwsRequest, method: string): void {
  const query = request.getQuery()
  const target = query === undefined ? request.getUrl() : `${request.getUrl()}?${query}`
  read.head = `${method} ${target} HTTP/1.1\r\n`
  read.body = false
  read.framed = false
  read.connected = false
  read.keeping = 'kept'
  request.forEach(readLine)
  read.head += '\r\n'
}

/** What is wrong with the framing the engine refuses; here it decides that the connection ends. */
function readLine(name: string, value: string): void {
  if (name === 'content-length') {
    if (read.framed) read.keeping = 'doubtful'
    read.framed = true
    if (value !== '0') read.body = true
  } else if (name === 'transfer-encoding') {
    if (read.framed || value.toLowerCase() !== 'chunked') read.keeping = 'doubtful'
    read.framed = true
    read.body = true
  } else if (name === 'connection') {
    if (value !== 'keep-alive' && hasClose(value)) {
      // The library knows the word alone, in the first such line.
      const known = value.length === 5 && !read.connected && read.keeping === 'kept'
      read.keeping = known ? 'asked-to-close' : 'doubtful'
    }
    read.connected = true
  }
  // Another protocol than the door's own WebSockets is not spoken here.
  if (name !== 'upgrade') read.head += `${name}: ${value}\r\n`
}

function hasClose(options: string): boolean {
  return options.split(',').some((option) => option.trim().toLowerCase() === 'close')
}
