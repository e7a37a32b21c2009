/** Requests and answers as the test kit holds them, and as the text that a filter's host reads. */

/** What stands in a header's place: one value, or several lines of it. */
export type HeaderValues = Record<string, string | readonly string[]>

export type BodyInput = string | Uint8Array | readonly (string | Uint8Array)[]

/** Lines in their order, names in lower case. */
export type Lines = [name: string, value: string][]

export interface Head {
  /** `METHOD target` of a request, the status of an answer. */
  start: string
  lines: Lines
}

export function linesOf(headers: HeaderValues = {}): Lines {
  return Object.entries(headers).flatMap(([name, values]) =>
    (typeof values === 'string' ? [values] : [...values]).map((value): Lines[number] => [name.toLowerCase(), value]),
  )
}

/** The other way round: several lines of one name become a list. */
export function headersOf(lines: Lines): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {}
  for (const [name, value] of lines) {
    const known = headers[name]
    headers[name] = known === undefined ? value : [...(typeof known === 'string' ? [known] : known), value]
  }
  return headers
}

/** Each part as it would arrive, a chunk of its own. */
export function chunksOf(body: BodyInput | undefined): Uint8Array[] {
  if (body === undefined) return []
  const parts = typeof body === 'string' || body instanceof Uint8Array ? [body] : body
  return parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)).filter(({ length }) => length > 0)
}

/** Latin-1 text as the engine writes it: the head, then `name: value` lines, each with its LF. */
export function textOf(start: string, lines: Lines): string {
  return `${start}\n${lines.map(([name, value]) => `${name}: ${value}\n`).join('')}`
}

/** The request as the upstream got it. */
export interface Forwarded {
  method: string
  path: string
  headers: Record<string, string | string[]>
  body: string
  /** The same as bytes, chunk by chunk. */
  chunks: Uint8Array[]
}

/** The answer as the client got it. */
export interface Answer {
  status: number
  headers: Record<string, string | string[]>
  body: string
  /** The same as bytes, chunk by chunk. */
  chunks: Uint8Array[]
  /** It could not be completed: the client's connection is reset. */
  broken: boolean
}

export function forwardedOf(head: Head, chunks: Uint8Array[]): Forwarded {
  const space = head.start.indexOf(' ')
  const [method, path] = [head.start.slice(0, space), head.start.slice(space + 1)]
  return { method, path, headers: headersOf(head.lines), body: textOfChunks(chunks), chunks }
}

export function answerOf({ start, lines }: Head, chunks: Uint8Array[], broken = false): Answer {
  return { status: Number(start), headers: headersOf(lines), body: textOfChunks(chunks), chunks, broken }
}

function textOfChunks(chunks: Uint8Array[]): string {
  return Buffer.concat(chunks).toString()
}
