/**
 * The only file that imports uWebSockets.js: HTTP doors whose answers are written in TypeScript.
 *
 * Invariants: every handler registers `onAborted` (a handler that returns without it ends the process); an answer is
 * written in one cork; a door is closed before its thread or process ends (an open one aborts the process).
 */

import type { HttpRequest, HttpResponse, us_listen_socket } from 'uWebSockets.js'
import { createRequire } from 'node:module'

/** LIBUS_LISTEN_EXCLUSIVE_PORT: a second process must not share the port in silence. */
const exclusivePort = 1

export interface DoorRequest {
  method: string
  path: string
  query: URLSearchParams
}

export interface DoorAnswer {
  status: number
  headers: Record<string, string>
  body: string
}

export interface Door {
  port: number
  close(): void
}

/** Listens on `host:port` and answers with what `answer` returns. Throws when the address cannot be taken. */
export function openDoor(host: string, port: number, answer: (request: DoorRequest) => DoorAnswer): Promise<Door> {
  // It is CommonJS, and its path decides which copy of the native part is loaded: require it from where we stand.
  const uws = createRequire(import.meta.url)('uWebSockets.js') as typeof import('uWebSockets.js')
  uws._cfg('silent')
  const app = uws.App() as unknown as App
  app.any('/*', (response, request) => {
    let aborted = false
    response.onAborted(() => {
      aborted = true
    })
    const method = request.getMethod().toUpperCase()
    const query = new URLSearchParams(request.getQuery())
    const { status, headers, body } = answer({ method, path: request.getUrl(), query })
    if (aborted) return
    response.cork(() => {
      response.writeStatus(`${status} ${reasons[status] ?? ''}`)
      for (const [name, value] of Object.entries(headers)) response.writeHeader(name, value)
      if (method === 'HEAD') response.endWithoutBody(Buffer.byteLength(body))
      else response.end(body)
    })
  })
  return new Promise((resolve, reject) => {
    app.listen(host, port, exclusivePort, (socket) => {
      if (!socket) reject(new Error(`cannot listen on ${host}:${port}`))
      else resolve({ port: uws.us_socket_local_port(socket), close: () => app.close() })
    })
  })
}

/** What the library offers and its declarations leave out. */
interface App {
  any(pattern: string, handler: (response: HttpResponse, request: HttpRequest) => void): void
  listen(host: string, port: number, options: number, done: (socket: us_listen_socket | false) => void): void
  close(): void
}

const reasons: Record<number, string> = {
  200: 'OK',
  202: 'Accepted',
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}
