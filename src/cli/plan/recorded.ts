/** The recorded requests that a plan replays: of a running proxy, page by page, or of a file. */
import { readFile } from 'node:fs/promises'
import { WeftError } from '../../errors.js'
import type { Question } from '../../native/explanation.js'
import type { DecisionRecord, RecordList } from '../../native/index.js'
import { askAdmin } from '../admin-client.js'

const pageSize = 1_000

/** The newest first, at most `limit`; of all workers. */
export async function readRecords(admin: string, limit: number, since: string | null): Promise<DecisionRecord[]> {
  const found = new Map<string, DecisionRecord>()
  let until: number | null = null
  while (found.size < limit) {
    const query: string = [
      `limit=${pageSize}`,
      ...(since === null ? [] : [`since=${encodeURIComponent(since)}`]),
      ...(until === null ? [] : [`until=${until}`]),
    ].join('&')
    const { status, body } = await askAdmin(admin, `/records?${query}`)
    if (status !== 200) throw unreadable(admin, `answers /records with ${status}: ${body.trim()}`)
    const { records, more } = JSON.parse(body) as RecordList
    const known = found.size
    for (const record of records) found.set(`${record.worker} ${record.seq}`, record)
    until = records.at(-1)?.startUnixUs ?? null
    // A page begins with the moment at which the one before ended, so that nothing is left out.
    if (!more || found.size === known) break
  }
  return [...found.values()].slice(0, limit)
}

/** What `/records` answered, a list of records, or a record a line. */
export async function readRecordFile(file: string, limit: number): Promise<DecisionRecord[]> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (cause) {
    throw unreadable(file, `cannot be read: ${(cause as Error).message}`)
  }
  const written = parsed(file, text)
  const list = Array.isArray(written) ? written : (written as { records?: unknown }).records
  if (!Array.isArray(list)) throw unreadable(file, 'holds no records')
  const wrong = list.findIndex((record) => !isRecord(record))
  if (wrong !== -1) throw unreadable(file, `entry ${wrong + 1} is no decision record`)
  return list.slice(0, limit) as DecisionRecord[]
}

/** The request as it came in, as far as its record kept it. */
export function questionOf({ listener, method, path, authority, headers, downstream }: DecisionRecord): Question {
  const kept = Object.entries(headers).filter(([name]) => name !== 'host')
  const client = downstream === null ? '' : downstream.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
  return { method, target: path, headers: [['host', authority], ...kept], client, listener }
}

/** Without a listener or a head nobody can say where it would go. */
export function isReplayable({ listener, method, path }: DecisionRecord): boolean {
  return listener !== null && method !== '' && path !== ''
}

function parsed(file: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    const lines = text.split('\n').filter((line) => line.trim() !== '')
    try {
      return lines.map((line) => JSON.parse(line) as unknown)
    } catch (cause) {
      throw unreadable(file, `is no JSON: ${(cause as Error).message}`)
    }
  }
}

function isRecord(value: unknown): boolean {
  const { method, path, authority, headers } = (value ?? {}) as Record<string, unknown>
  const texts = [method, path, authority].every((text) => typeof text === 'string')
  return texts && typeof headers === 'object' && headers !== null
}

function unreadable(from: string, what: string): WeftError {
  return new WeftError('WEFT_PLAN_RECORDS', `${from} ${what}`, {
    hint: 'give --admin of a running proxy, or --records with what its /records answered',
  })
}
