/** A filter's own answer, as the text and the bytes that the engine reads. */
import { checkedName } from './header-lines.js'
import { checkedValue } from './latin1.js'

export interface DirectAnswer {
  /** 200 to 599. */
  status: number
  /** A list stands for several lines of the name. Length and framing are the proxy's own. */
  headers?: Record<string, string | readonly string[]>
  /** Text goes out as UTF-8, as `text/plain` unless `content-type` says otherwise. */
  body?: string | Uint8Array
}

/** Throws when it is none. */
export function encodeAnswer(answer: unknown): string | [string, Uint8Array] {
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) {
    throw new TypeError(`it returned ${described(answer)}, which is no answer: return { status } or nothing`)
  }
  const { status, headers = {}, body } = answer as Partial<DirectAnswer>
  if (typeof status !== 'number' || !Number.isInteger(status) || status < 200 || status > 599) {
    throw new TypeError(`it answered with the status ${described(status)}; it must be a number from 200 to 599`)
  }
  let text = `!${status}\n`
  for (const [name, value] of Object.entries(headers)) {
    const lower = checkedName(name)
    const values = Array.isArray(value) ? (value as readonly string[]) : [value]
    for (const each of values) text += `${lower}: ${checkedValue(each, lower)}\n`
  }
  if (body === undefined || body === '') return text
  if (typeof body === 'string') return [text, Buffer.from(body, 'utf8')]
  if (body instanceof Uint8Array) return [text, body]
  throw new TypeError(`the body of its answer must be text or a Uint8Array, not ${described(body)}`)
}

function described(value: unknown): string {
  if (value === null || value === undefined || typeof value === 'number' || typeof value === 'boolean')
    return `${value}`
  return Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
