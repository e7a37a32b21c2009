/** A sample as lines of text that fit a terminal. Pure. */
import type { Row, Sample } from './sample.js'

export interface Size {
  columns: number
  rows: number
}

export interface ScreenOptions {
  /** The admin server that was asked. */
  admin: string
  size: Size
  colour: boolean
  /** Said in the last line, such as why nothing new comes. */
  notice: string
}

type Paint = (codes: number[], text: string) => string

/** Exactly so many lines as there is room for, none longer than the terminal is wide. */
export function screen(sample: Sample, { admin, size, colour, notice }: ScreenOptions): string[] {
  const paint: Paint = (codes, text) => (colour ? `\u001b[${codes.join(';')}m${text}\u001b[0m` : text)
  const room = Math.max(0, size.rows - 6)
  const shared = Math.min(sample.routes.length, Math.max(Math.floor(room / 2), room - sample.endpoints.length))
  const width = nameWidth(sample, size.columns)
  const lines = [
    heading(sample, admin, size.columns, paint),
    '',
    ...table('ROUTE', sample.routes.slice(0, shared), { width, columns: size.columns, paint, total: sample.total }),
    '',
    ...table('ENDPOINT', sample.endpoints.slice(0, Math.max(0, room - shared)), {
      width,
      columns: size.columns,
      paint,
      total: sample.total,
    }),
  ]
  const last = notice === '' ? paint([2], clip('q quits', size.columns)) : paint([33], clip(notice, size.columns))
  const filled = [...lines, ...Array.from({ length: Math.max(0, size.rows - 1 - lines.length) }, () => '')]
  return [...filled.slice(0, Math.max(0, size.rows - 1)), last]
}

/** The same without a terminal: every row, as wide as it needs. */
export function plainText(sample: Sample, admin: string): string {
  const rows = sample.routes.length + sample.endpoints.length + 7
  const longest = Math.max(0, ...[...sample.routes, ...sample.endpoints].map((row) => label(row).length))
  const columns = Math.max(120, longest + numbersWidth + barWidth + 2)
  const lines = screen(sample, { admin, size: { columns, rows }, colour: false, notice: '' })
  return `${lines
    .slice(0, -1)
    .map((line) => line.trimEnd())
    .join('\n')
    .trimEnd()}\n`
}

const numbersWidth = 10 + 10 + 10 + 10 + 8
const barWidth = 14

function nameWidth({ routes, endpoints }: Sample, columns: number): number {
  const longest = Math.max(16, ...[...routes, ...endpoints].map((row) => label(row).length))
  return Math.max(8, Math.min(longest, columns - numbersWidth - 1))
}

function label({ cluster, name }: Row): string {
  return cluster === '' ? (name === '-' ? '(no route)' : name) : `${cluster} ${name}`
}

function heading({ total, connections, generation }: Sample, admin: string, columns: number, paint: Paint): string {
  const said = [
    `weft top ${admin}`,
    `${rate(total.perSecond)} req/s`,
    `${percent(total.successPercent)} ok`,
    `p50 ${time(total.p50Ms)} ms`,
    `p99 ${time(total.p99Ms)} ms`,
    `${connections} connections`,
    `generation ${generation}`,
  ]
  return paint([1, 7], clip(` ${said.join('   ')}`, columns).padEnd(columns))
}

interface TableOptions {
  width: number
  columns: number
  paint: Paint
  total: Row
}

function table(title: string, rows: Row[], { width, columns, paint, total }: TableOptions): string[] {
  const head = [title.padEnd(width), 'REQ/S'.padStart(10), 'SUCCESS'.padStart(10), 'P50 MS'.padStart(10)]
  const titles = clip(
    [...head, 'P99 MS'.padStart(10), title === 'ENDPOINT' ? 'ACTIVE'.padStart(8) : ''].join(''),
    columns,
  )
  return [paint([1], titles), ...rows.map((row) => line(row, { width, columns, paint, total }))]
}

function line(row: Row, { width, columns, paint, total }: TableOptions): string {
  const idle = row.requests === 0
  const cells = [
    clipBegin(label(row), width).padEnd(width),
    rate(row.perSecond).padStart(10),
    paintSuccess(percent(row.successPercent).padStart(10), row.successPercent, paint),
    time(row.p50Ms).padStart(10),
    time(row.p99Ms).padStart(10),
    (row.cluster === '' ? '' : String(row.active)).padStart(8),
  ]
  const wide = columns >= width + numbersWidth + barWidth + 2
  const bar = wide ? `  ${share(row.perSecond, total.perSecond)}` : ''
  if (columns < width + numbersWidth) return clip(cells.slice(0, 2).join(''), columns)
  return idle ? paint([2], cells.join('')) : `${cells.join('')}${paint([36], bar)}`
}

function paintSuccess(text: string, value: number | null, paint: Paint): string {
  if (value === null || value >= 99.9) return text
  return paint([value < 95 ? 31 : 33], text)
}

/** This row's share of all requests. */
function share(part: number, whole: number): string {
  const eighths = whole === 0 ? 0 : Math.min(barWidth * 8, Math.round((part / whole) * barWidth * 8))
  const rest = ' ▏▎▍▌▋▊▉'[eighths % 8]?.trim() ?? ''
  return '█'.repeat(Math.floor(eighths / 8)) + rest
}

function rate(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(1)
}

function percent(value: number | null): string {
  if (value === null) return '-'
  // What failed must not be rounded away.
  const shown = value < 100 && value > 99.95 ? '99.9' : value.toFixed(1)
  return `${shown} %`
}

function time(value: number | null): string {
  if (value === null) return '-'
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

function clip(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`
}

/** The end of a name tells more than its begin: it has the port. */
function clipBegin(text: string, columns: number): string {
  return text.length <= columns ? text : `…${text.slice(text.length - Math.max(0, columns - 1))}`
}
