/**
 * Does to a head what the engine does with a filter's edits, and refuses what it refuses.
 *
 * The engine's own reading of them is `native/engine/src/filter/script/edits.rs`.
 */
import type { Head, Lines } from './message.js'

/** Named because they frame a message or are the proxy's to write. */
const owned = new Set([
  ...['host', 'connection', 'content-length', 'transfer-encoding', 'te', 'trailer', 'upgrade', 'expect', 'keep-alive'],
  ...['proxy-connection', 'date', 'via', 'x-forwarded-for', 'x-forwarded-proto', 'x-request-id'],
])

/** What a request's edits say besides its head. */
export interface Choice {
  route: string | null
  cluster: string | null
}

/** Throws an error that says which edit makes no sense. */
export function applyEdits(head: Head, text: string, choice: Choice | null): Head {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .reduce((changed, edit) => applyEdit(changed, edit, choice), head)
}

function applyEdit(head: Head, edit: string, choice: Choice | null): Head {
  const rest = edit.slice(1)
  switch (edit[0]) {
    case '=': {
      const line = lineOf(rest)
      return { ...head, lines: [...without(head.lines, line[0]), line] }
    }
    case '+':
      return { ...head, lines: [...head.lines, lineOf(rest)] }
    case '-':
      return { ...head, lines: without(head.lines, checkedName(rest)) }
  }
  if (choice === null) {
    if (edit.startsWith('s ')) return { ...head, start: String(statusOf(rest.slice(1))) }
  } else {
    if (edit.startsWith('p/')) return { ...head, start: `${head.start.slice(0, head.start.indexOf(' '))} ${rest}` }
    if (edit.startsWith('r ')) return choose(head, choice, 'route', rest.slice(1))
    if (edit.startsWith('c ')) return choose(head, choice, 'cluster', rest.slice(1))
  }
  throw new Error(`\`${edit}\` is no edit here`)
}

function choose(head: Head, choice: Choice, noun: keyof Choice, name: string): Head {
  choice[noun] = name
  return head
}

/** A direct answer's head, from `!STATUS` and the lines behind it. */
export function directHead(text: string): Head {
  const [first = '', ...rest] = text.split('\n').filter((line) => line !== '')
  return { start: String(statusOf(first.slice(1))), lines: rest.map(lineOf) }
}

export function statusOf(text: string): number {
  const status = Number(text)
  if (Number.isInteger(status) && status >= 200 && status < 600) return status
  throw new Error(`\`${text}\` is not a status of 200 to 599`)
}

function lineOf(text: string): Lines[number] {
  const colon = text.indexOf(': ')
  if (colon === -1) throw new Error(`\`${text}\` is no header line`)
  const value = text.slice(colon + 2).trim()
  const name = checkedName(text.slice(0, colon))
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(value)) throw new Error(`the value of \`${name}\` holds a control byte`)
  return [name, value]
}

function checkedName(name: string): string {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) throw new Error(`\`${name}\` is not a header name`)
  const lower = name.toLowerCase()
  if (owned.has(lower)) throw new Error(`\`${name}\` is the proxy's own`)
  return lower
}

function without(lines: Lines, name: string): Lines {
  return lines.filter(([known]) => known !== name.toLowerCase())
}
