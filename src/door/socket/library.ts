/**
 * What sockets use of uWebSockets.js, in its own words. `uws.ts` alone loads the library; its connection object throws
 * once it is closed, so nothing here keeps one beyond its `close` event.
 */

export interface UwsSocket {
  /** 1: sent; 0: some of it waits in the buffer; 2: dropped, the buffer is beyond `maxBackpressure`. */
  send(message: string | Uint8Array, isBinary: boolean, compress: boolean): number
  ping(message?: Uint8Array): number
  getBufferedAmount(): number
  /** Sends a close frame; runs the `close` handler before it returns. */
  end(code?: number, reason?: string | Uint8Array): void
  /** Breaks the connection off. */
  close(): void
  cork(callback: () => void): unknown
  /** What `upgrade` was given: the library copies its properties to the connection. */
  readonly live: unknown
}

export interface UwsResponse {
  cork(callback: () => void): unknown
  writeStatus(status: string): unknown
  writeHeader(name: string, value: string): unknown
  end(body?: string | Uint8Array, closeConnection?: boolean): unknown
  close(): unknown
  onAborted(handler: () => void): unknown
  getRemoteAddress(): ArrayBuffer
  upgrade(data: { live: unknown }, key: string, protocol: string, extensions: string, context: unknown): void
}

export interface UwsRequest {
  getHeader(name: string): string
  getMethod(): string
  getUrl(): string
  /** Without the question mark; undefined without one. */
  getQuery(): string | undefined
  forEach(callback: (name: string, value: string) => void): void
}

/** Buffers are valid during the call only. */
export interface UwsBehavior {
  maxPayloadLength: number
  maxBackpressure: number
  /** Seconds; 0 or 8 to 960. */
  idleTimeout: number
  sendPingsAutomatically: boolean
  compression: number
  upgrade(response: UwsResponse, request: UwsRequest, context: unknown): void
  open(socket: UwsSocket): void
  message(socket: UwsSocket, data: ArrayBuffer, isBinary: boolean): void
  drain(socket: UwsSocket): void
  /** The connection can no longer be asked. A client's codes from 1012 to 3999 come as 1006: the library takes them for broken. */
  close(socket: UwsSocket, code: number, reason: ArrayBuffer): void
  ping?(socket: UwsSocket, data: ArrayBuffer): void
  pong?(socket: UwsSocket, data: ArrayBuffer): void
}

export interface SocketApp {
  ws(pattern: string, behavior: UwsBehavior): unknown
}

/** The library's constants: `SHARED_COMPRESSOR`, and a sliding window of 4 KB kept for each socket. */
export const compressions = { none: 0, shared: 1, dedicated: 146 } as const
/**
 * Whether compression is worth it for so many bytes. It runs on the loop: beyond some milliseconds for one message
 * others would wait for it.
 */
export function worthCompressing(bytes: number): boolean {
  return bytes >= 128 && bytes <= 262_144
}

export type Compression = keyof typeof compressions
