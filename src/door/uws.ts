/**
 * The only file that imports uWebSockets.js: the library, loaded once, and apps that listen.
 *
 * Invariants: every handler registers `onAborted` (a handler that returns without it ends the process); an answer is
 * written in one cork; an app is closed before its thread or process ends (an open one aborts the process); the main
 * thread loads the library before any worker does, for one that was first loaded by a thread goes away with it.
 */

import type { us_listen_socket } from 'uWebSockets.js'
import { createRequire } from 'node:module'

/** LIBUS_LISTEN_EXCLUSIVE_PORT: a second process must not share the port in silence. */
export const exclusivePort = 1
/** Several sockets on one port, one per thread; somebody else keeps the port from other processes. */
export const sharedPort = 0

/** Valid until it is aborted or its answer is complete; after that every call throws. */
export interface UwsResponse {
  writeStatus(status: string | Uint8Array): unknown
  writeHeader(name: string | Uint8Array, value: string | Uint8Array): unknown
  write(chunk: string | Uint8Array): boolean
  end(body?: string | Uint8Array, closeConnection?: boolean): unknown
  /** With arguments it would leave the answer unfinished. */
  endWithoutBody(): unknown
  /** Whether all of the chunk was taken, and whether the answer is complete. */
  tryEnd(chunk: string | Uint8Array, contentLength: number): [boolean, boolean]
  getWriteOffset(): number
  cork(callback: () => void): unknown
  pause(): void
  resume(): void
  close(): unknown
  onAborted(handler: () => void): unknown
  /** The buffer is valid during the call only. */
  onData(handler: (chunk: ArrayBuffer, last: boolean) => void): unknown
  onWritable(handler: (offset: number) => boolean): unknown
  getRemoteAddress(): ArrayBuffer
  upgrade(data: unknown, key: string, protocol: string, extensions: string, context: unknown): void
}

/** Valid during the handler's call only. Names of headers are lower case. */
export interface UwsRequest {
  getCaseSensitiveMethod(): string
  getMethod(): string
  getUrl(): string
  /** Behind the question mark; undefined without one. */
  getQuery(): string | undefined
  getHeader(name: string): string
  forEach(callback: (name: string, value: string) => void): void
}

export interface UwsApp {
  get(pattern: string, handler: (response: UwsResponse, request: UwsRequest) => void): unknown
  any(pattern: string, handler: (response: UwsResponse, request: UwsRequest) => void): unknown
  ws(pattern: string, behavior: object): unknown
  listen(host: string, port: number, options: number, done: (socket: us_listen_socket | false) => void): void
  /** Closes the listening sockets and every connection. */
  close(): void
}

export interface Listening {
  port: number
  /** Accepts no more; connections go on. */
  stop(): void
}

/** Takes the library into this thread. */
export function loadUws(): typeof import('uWebSockets.js') {
  // It is CommonJS, and its path decides which copy of the native part is loaded: require it from where we stand.
  const uws = createRequire(import.meta.url)('uWebSockets.js') as typeof import('uWebSockets.js')
  uws._cfg('silent')
  return uws
}

export function newApp(): UwsApp {
  return loadUws().App() as unknown as UwsApp
}

/** Listens on `host:port`, with `exclusivePort` or `sharedPort`. Throws when the address cannot be taken. */
export function listen(app: UwsApp, host: string, port: number, options: number): Listening {
  const uws = loadUws()
  let opened: us_listen_socket | false = false
  app.listen(host, port, options, (socket) => {
    opened = socket
  })
  // The library has called back already.
  if (!opened) throw new Error(`cannot listen on ${host}:${port}`)
  const socket: us_listen_socket = opened
  return { port: uws.us_socket_local_port(socket), stop: () => uws.us_listen_socket_close(socket) }
}
