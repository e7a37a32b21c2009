/** The head of an answer as undici's handlers take it. */

export interface AnswerHead {
  status: number
  reason: string
  /** Names and values in turn, one character per byte. */
  lines: string[]
}

/** `head`: `200 OK` and a line for each header, each with its CR LF. `length`: the body's, -1 when it was not told. */
export function answerHead(head: string, length: number): AnswerHead {
  const end = head.indexOf('\r\n')
  const lines: string[] = []
  for (let at = end + 2; at < head.length; ) {
    const next = head.indexOf('\r\n', at)
    const colon = head.indexOf(':', at)
    lines.push(head.slice(at, colon), head.slice(colon + 1, next).trim())
    at = next + 2
  }
  // The engine tells it beside the head, because it is how the body is framed.
  if (length >= 0) lines.push('content-length', String(length))
  return { status: Number(head.slice(0, 3)), reason: head.slice(4, end), lines }
}

export function rawHeaders(lines: readonly string[]): Buffer[] {
  return lines.map((text) => Buffer.from(text, 'latin1'))
}

/** By lower-case name; a name that comes more than once has a list. Values are UTF-8, as undici reads them. */
export function headersByName(lines: readonly string[]): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {}
  for (let at = 0; at < lines.length; at += 2) {
    const name = (lines[at] ?? '').toLowerCase()
    const value = Buffer.from(lines[at + 1] ?? '', 'latin1').toString()
    const known = headers[name]
    if (known === undefined) headers[name] = value
    else if (Array.isArray(known)) known.push(value)
    else headers[name] = [known, value]
  }
  return headers
}
