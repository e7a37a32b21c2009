/** `/records`: decision records, newest first. */
import type { RecordQuery } from '../../native/index.js'
import { type AdminEndpoint, jsonAnswer, textAnswer } from '../endpoint.js'

export const records: AdminEndpoint = {
  method: 'GET',
  path: '/records',
  about: 'what became of requests; ?id= route= status=503|5xx flag= since=5m|TIME until=TIME limit=100 (at most 1000)',
  answer({ proxy }, query) {
    const asked = readQuery(query, Date.now())
    return typeof asked === 'string' ? textAnswer(`${asked}\n`, 400) : jsonAnswer(proxy.records(asked))
  },
}

const known = ['id', 'route', 'status', 'flag', 'since', 'until', 'limit']
const unitMs: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** The question, or what is wrong with it. */
export function readQuery(query: URLSearchParams, now: number): RecordQuery | string {
  const asked: RecordQuery = {}
  for (const [name, value] of query) {
    if (!known.includes(name)) return `there is no parameter ${JSON.stringify(name)}; known: ${known.join(', ')}`
    const wrong = take(asked, name, value, now)
    if (wrong !== null) return `${name} is ${JSON.stringify(value)}: ${wrong}`
  }
  return asked
}

function take(asked: RecordQuery, name: string, value: string, now: number): string | null {
  if (name === 'id' || name === 'route' || name === 'flag') {
    asked[name] = value
    return null
  }
  if (name === 'status') return takeStatus(asked, value)
  if (name === 'limit') {
    asked.limit = Number(value)
    return /^\d{1,4}$/.test(value) && asked.limit >= 1 && asked.limit <= 1_000 ? null : 'it must be from 1 to 1000'
  }
  const unixUs = readTimeUs(value, now)
  asked[name === 'until' ? 'untilUnixUs' : 'sinceUnixUs'] = Math.max(0, unixUs)
  return Number.isNaN(unixUs)
    ? 'it must be an age such as 30s, 5m or 2h, a time such as 2026-01-31T12:00:00Z, or startUnixUs of a record'
    : null
}

function takeStatus(asked: RecordQuery, value: string): string | null {
  if (!/^([1-5]xx|\d{1,3})$/.test(value)) return 'it must be a status such as 503, or a class such as 5xx'
  const first = Number(value.replace('xx', '00'))
  asked.statusMin = first
  asked.statusMax = value.endsWith('xx') ? first + 99 : first
  return null
}

/** In µs since 1970, as records have it. */
function readTimeUs(value: string, now: number): number {
  if (/^\d{13,17}$/.test(value)) return Number(value)
  const age = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(value)
  const ms = age === null ? Date.parse(value) : now - Number(age[1]) * (unitMs[age[2] ?? ''] ?? Number.NaN)
  return Math.round(ms * 1_000)
}
