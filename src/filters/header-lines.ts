/**
 * The header lines of a head, read from its text only as far as a filter asks, with the filter's own changes on top.
 *
 * Invariants: in the text every line begins behind an LF, names are in lower case and no value holds an LF, so that a
 * header is found by searching; a change is checked when it is made, not when it is sent.
 */
import type { Edits } from './edits.js'
import { checkedValue } from './latin1.js'

interface Name {
  lower: string
  /** What stands before its value in the text. */
  mark: string
}

/** Names that filters ask for are few; those made up per request do not fill the memory. */
const mostNames = 1024
const names = new Map<string, Name>()

export class HeaderLines {
  private readonly text: string
  /** Lines before the headers. */
  private readonly skip: number
  private readonly edits: Edits
  private edited: Map<string, string[]> | null = null
  private editedLength = -1

  constructor(text: string, skip: number, edits: Edits) {
    this.text = text
    this.skip = skip
    this.edits = edits
  }

  /** Values of all lines of the name, joined with `, `; null when there is none. */
  get(name: string): string | null {
    const { lower, mark } = nameOf(name)
    if (this.edits.text !== '') return joined(lower, this.all().get(lower))
    const { text } = this
    const at = text.indexOf(mark)
    if (at === -1) return null
    const start = at + mark.length
    const end = text.indexOf('\n', start)
    if (text.indexOf(mark, end) === -1) return text.slice(start, end)
    return joined(lower, this.all().get(lower))
  }

  /** The value of each line of the name. */
  getAll(name: string): string[] {
    return [...(this.all().get(nameOf(name).lower) ?? [])]
  }

  has(name: string): boolean {
    const { lower, mark } = nameOf(name)
    return this.edits.text === '' ? this.text.includes(mark) : this.all().has(lower)
  }

  /** One line in place of all of the name. */
  set(name: string, value: string): void {
    const { lower } = nameOf(name)
    this.edits.add(`=${lower}: ${checkedValue(value, lower)}`)
  }

  /** A line behind those of the name. */
  append(name: string, value: string): void {
    const { lower } = nameOf(name)
    this.edits.add(`+${lower}: ${checkedValue(value, lower)}`)
  }

  delete(name: string): void {
    this.edits.add(`-${nameOf(name).lower}`)
  }

  /** Name and value of each line, lines of one name together. */
  *entries(): Generator<[string, string]> {
    for (const [name, values] of this.all()) for (const value of values) yield [name, value]
  }

  [Symbol.iterator](): Generator<[string, string]> {
    return this.entries()
  }

  /** All lines as they are after the changes so far. */
  private all(): Map<string, string[]> {
    const changes = this.edits.text
    if (this.edited !== null && this.editedLength === changes.length) return this.edited
    const all = new Map<string, string[]>()
    for (const line of this.text.split('\n').slice(this.skip, -1)) {
      const [name, value] = parted(line, 0)
      const known = all.get(name)
      if (known === undefined) all.set(name, [value])
      else known.push(value)
    }
    for (const line of changes.split('\n')) change(all, line)
    this.edited = all
    this.editedLength = changes.length
    return all
  }
}

function change(all: Map<string, string[]>, line: string): void {
  switch (line[0]) {
    case '=': {
      const [name, value] = parted(line, 1)
      all.set(name, [value])
      break
    }
    case '+': {
      const [name, value] = parted(line, 1)
      all.set(name, [...(all.get(name) ?? []), value])
      break
    }
    case '-':
      all.delete(line.slice(1))
  }
}

function parted(line: string, from: number): [string, string] {
  const colon = line.indexOf(': ', from)
  return [line.slice(from, colon), line.slice(colon + 2)]
}

function joined(name: string, values: string[] | undefined): string | null {
  if (values === undefined || values.length === 0) return null
  return values.join(name === 'cookie' ? '; ' : ', ')
}

function nameOf(name: string): Name {
  return names.get(name) ?? learn(name)
}

/** The name in lower case; throws when it is none. */
export function checkedName(name: string): string {
  return nameOf(name).lower
}

/** RFC 9110 section 5.6.2. */
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

function learn(name: string): Name {
  if (typeof name !== 'string' || !token.test(name)) throw new TypeError(`${JSON.stringify(name)} is not a header name`)
  const lower = name.toLowerCase()
  const learned = { lower, mark: `\n${lower}: ` }
  if (names.size < mostNames) names.set(name, learned)
  return learned
}
