/** A door whose answers are small texts that TypeScript makes at once: the admin API. */
import { exclusivePort, listen, newApp } from './uws.js'

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
export function openDoor(host: string, port: number, answer: (request: DoorRequest) => DoorAnswer): Door {
  const app = newApp()
  app.any('/*', (response, request) => {
    let aborted = false
    response.onAborted(() => {
      aborted = true
    })
    const method = request.getMethod().toUpperCase()
    const query = new URLSearchParams(request.getQuery() ?? '')
    const { status, headers, body } = answer({ method, path: request.getUrl(), query })
    if (aborted) return
    response.cork(() => {
      response.writeStatus(`${status} ${reasons[status] ?? ''}`)
      for (const [name, value] of Object.entries(headers)) response.writeHeader(name, value)
      if (method === 'HEAD') {
        response.writeHeader('content-length', String(Buffer.byteLength(body)))
        response.endWithoutBody()
      } else response.end(body)
    })
  })
  return { port: listen(app, host, port, exclusivePort).port, close: () => app.close() }
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
