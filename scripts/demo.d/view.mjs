// What a person sees of the shop: the edge in one line, then a row per hop.
import { percentileMs } from './hops.mjs'

const columns = [
  { title: 'hop', width: 34, text: hopName },
  {
    title: 'req/s',
    width: 8,
    text: ({ requests }, seconds) => (requests / seconds).toFixed(requests / seconds < 10 ? 1 : 0),
  },
  {
    title: 'success',
    width: 9,
    text: ({ requests, failed }) => (requests > 0 ? `${percent(requests - failed, requests)} %` : '–'),
  },
  { title: 'p50 ms', width: 9, text: (row) => (row.buckets ? percentileMs(row, 50).toFixed(1) : '') },
  { title: 'p99 ms', width: 9, text: (row) => (row.buckets ? percentileMs(row, 99).toFixed(1) : '') },
  {
    title: 'retries',
    width: 9,
    text: ({ attempts, requests }) => (attempts === undefined ? '' : String(Math.max(0, attempts - requests))),
  },
]

/** Lines of the table. A row in which something failed is red on a terminal. */
export function table(rows, seconds, colour) {
  const paint = (code, text) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text)
  const head = columns.map(({ title, width }, at) => (at === 0 ? title.padEnd(width) : title.padStart(width))).join('')
  const line = (row) =>
    columns
      .map(({ text, width }, at) => (at === 0 ? text(row).padEnd(width) : text(row, seconds).padStart(width)))
      .join('')
  return [paint('1', head), ...rows.map((row) => (row.failed > 0 ? paint('31', line(row)) : line(row)))]
}

function hopName({ from, to, depth }) {
  return `${'  '.repeat(depth)}${from === undefined ? '' : `${from} → `}${to}`
}

function percent(part, whole) {
  const value = (100 * part) / whole
  return value === 100 ? '100' : value.toFixed(1)
}

/** The edge as its clients see it. */
export function edgeLine({ seconds, answers, p50, p99, failed }) {
  const time = `${Math.round(seconds)} s`.padStart(6)
  return `${time}  ${answers} answers/s  p50 ${p50.toFixed(1)} ms  p99 ${p99.toFixed(1)} ms  ${failed} failed at the edge`
}

/** What the feed told last, as a client of it hears it. */
export function feedLines(url, { heard, recent }) {
  return [`${url}: ${heard} events`, ...recent.map((event) => `  ${event}`)]
}
