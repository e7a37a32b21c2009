/** The shape of every admin endpoint. An endpoint is a function of what the admin server sees and of the question. */
import type { DoorAnswer } from '../door/small-door.js'
import type { ListenerAnswer, Question } from '../native/explanation.js'
import type { RecordList, RecordQuery, RouteSwitch, Stats, Why } from '../native/index.js'
import type { Level } from '../telemetry/logger.js'

/** What the admin server sees of the process. */
export interface AdminContext {
  proxy: {
    /** `dump` is the resolved configuration as JSON text. */
    plan(): { dump: string; node: NodeIdentity; listeners: { name: string; protocol: string }[] }
    stats(): Stats
    status(): ProxyStatus
    records(query: RecordQuery): RecordList
    /** Null when there is no record of the id. */
    why(id: string): Why | null
    /** What each listener that is asked about would do with a request now. */
    explain(question: Question): ListenerAnswer[]
    /** Sends a route's requests elsewhere until the next configuration; null: back. */
    switchRoute(
      route: string,
      to: { cluster: string; subset: string | null; percent: number } | null,
    ): { generation: number; error: string | null }
    /** Routes whose requests go elsewhere than configured, the oldest switch first. */
    switches(): RouteSwitch[]
    /** Durations as HDR histograms: V2, compressed, base64. */
    histograms(): Histograms
    /** Readiness answers 503 while this is set; listeners go on serving. */
    failHealthcheck(failing: boolean): void
  }
  process: {
    version: string
    /** The configuration file. */
    file: string
    /** When it began, in ms since 1970. */
    startedAt: number
  }
  /** The operational log. */
  logger: { level: Level }
  /** Begins the graceful end of the process. */
  drain(): void
}

export interface NodeIdentity {
  id: string
  service: string
  version: string
  region: string
  zone: string
}

export interface ProxyStatus {
  state: 'ready' | 'failing' | 'draining' | 'down'
  generation: number
  workers: number
  replaced: number
}

export interface Histograms {
  routes: { route: string; hdr: string }[]
  clusters: { cluster: string; hdr: string }[]
  endpoints: { cluster: string; endpoint: string; hdr: string }[]
}

export interface AdminEndpoint {
  method: 'GET' | 'POST'
  /** A path that ends in `/ID` takes any last segment. */
  path: string
  about: string
  /** `id` is the last segment of a path that ends in `/ID`, else empty. */
  answer(context: AdminContext, query: URLSearchParams, id: string): DoorAnswer
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
