/**
 * HTTP/1 messages as a test reads them off a wire: strict where the proxy writes, and with nothing normalised, so that
 * case, order and framing of what was sent can be compared.
 */
import type { Wire } from './wire.js'

export interface Head {
  /** Request line or status line. */
  start: string
  /** Header lines as they were written. */
  lines: string[]
}

export interface Message extends Head {
  body: string
  /** Trailer lines with their line ends. */
  trailers: string
}

export interface Answer extends Message {
  status: number
  informational: Head[]
}

/** What tells that a body without framing is not whole. */
export class CutByReset extends Error {}

/** Values of a field, in order. */
export function values({ lines }: Head, name: string): string[] {
  const prefix = `${name.toLowerCase()}:`
  return lines.filter((line) => line.toLowerCase().startsWith(prefix)).map((line) => line.slice(prefix.length).trim())
}

/** The one value of a field, undefined without one. */
export function value(head: Head, name: string): string | undefined {
  const [first, ...others] = values(head, name)
  if (others.length > 0) throw new Error(`${name} stands more than once: ${head.lines.join(' | ')}`)
  return first
}

export function statusOf({ start }: Head): number {
  const match = /^HTTP\/1\.1 (\d{3}) /.exec(start)
  if (match === null) throw new Error(`not a status line: ${JSON.stringify(start)}`)
  return Number(match[1])
}

export async function readHead(wire: Wire): Promise<Head> {
  const text = await wire.takeThrough('\r\n\r\n')
  const [start = '', ...lines] = text.slice(0, -4).split('\r\n')
  return { start, lines }
}

export async function readRequest(wire: Wire): Promise<Message> {
  const head = await readHead(wire)
  return { ...head, ...(await readBody(wire, head, '')) }
}

/** The next final answer with the 1xx before it. */
export async function readAnswer(wire: Wire, method = 'GET'): Promise<Answer> {
  const informational: Head[] = []
  let head = await readHead(wire)
  while (statusOf(head) < 200 && statusOf(head) !== 101) {
    informational.push(head)
    head = await readHead(wire)
  }
  const status = statusOf(head)
  const bodiless = method === 'HEAD' || status === 204 || status === 304 || status === 101
  const content = bodiless ? { body: '', trailers: '' } : await readBody(wire, head, null)
  return { ...head, ...content, status, informational }
}

/** `unframed`: the body of a message that announces none; null reads to the end of the connection. */
async function readBody(wire: Wire, head: Head, unframed: string | null): Promise<{ body: string; trailers: string }> {
  const coding = value(head, 'transfer-encoding')
  const length = value(head, 'content-length')
  if (coding !== undefined) {
    if (coding !== 'chunked' || length !== undefined) throw new Error(`ambiguous framing: ${head.lines.join(' | ')}`)
    return readChunks(wire)
  }
  if (length !== undefined) return { body: await wire.take(Number(length)), trailers: '' }
  return { body: unframed ?? (await readToFin(wire)), trailers: '' }
}

async function readToFin(wire: Wire): Promise<string> {
  const body = await wire.takeRest()
  if (wire.ending !== 'fin') throw new CutByReset('a body that ends with its connection was cut by a reset')
  return body
}

async function readChunks(wire: Wire): Promise<{ body: string; trailers: string }> {
  let body = ''
  for (;;) {
    const line = await wire.takeThrough('\r\n')
    if (!/^[0-9a-f]+\r\n$/i.test(line)) throw new Error(`not a chunk size: ${JSON.stringify(line)}`)
    const size = Number.parseInt(line, 16)
    if (size === 0) break
    body += await wire.take(size)
    if ((await wire.take(2)) !== '\r\n') throw new Error('a chunk does not end in CRLF')
  }
  let trailers = ''
  for (let line = await wire.takeThrough('\r\n'); line !== '\r\n'; line = await wire.takeThrough('\r\n'))
    trailers += line
  return { body, trailers }
}

/** A whole answer with a length. */
export function answer(body = 'ok', ...lines: string[]): string {
  return [`HTTP/1.1 200 OK`, ...lines, `content-length: ${body.length}`, '', body].join('\r\n')
}

/** A whole request; with a body it has a length. */
export function request(start: string, lines: string[] = [], body?: string): string {
  const framing = body === undefined ? [] : [`content-length: ${body.length}`]
  return [`${start} HTTP/1.1`, 'Host: a.example', ...lines, ...framing, '', body ?? ''].join('\r\n')
}
