/** The shape of every admin endpoint. An endpoint is a pure function of the proxy and the query. */
import type { DoorAnswer } from '../door/uws.js'
import type { Stats } from '../native/index.js'

/** What the admin server sees of the proxy. */
export interface AdminContext {
  proxy: {
    /** `dump` is the resolved configuration as JSON text. */
    plan(): { dump: string }
    stats(): Stats
    status(): { state: 'ready' | 'draining' | 'down'; generation: number; workers: number; replaced: number }
  }
  /** Begins the graceful end of the process. */
  drain(): void
}

export interface AdminEndpoint {
  method: 'GET' | 'POST'
  path: string
  about: string
  answer(context: AdminContext, query: URLSearchParams): DoorAnswer
}

export function textAnswer(body: string, status = 200): DoorAnswer {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' }, body }
}

export function jsonAnswer(value: unknown, status = 200): DoorAnswer {
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' }
  return { status, headers, body: `${JSON.stringify(value, null, 2)}\n` }
}

/** Rows of text in columns: words to the left, numbers to the right. */
export function columns(rows: (string | number)[][]): string {
  const widths: number[] = []
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, String(cell).length)
    })
  }
  return rows
    .map((row) => {
      const cells = row.map((cell, i) =>
        typeof cell === 'number' ? String(cell).padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0),
      )
      return `${cells.join('  ').trimEnd()}\n`
    })
    .join('')
}
