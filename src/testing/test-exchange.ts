/**
 * One exchange of the test kit, phase by phase in the order of a real one. What a filter says is checked and done here as
 * the engine would; a filter that fails has its policy applied.
 */
import { latin1AsUtf8 } from '../filters/latin1.js'
import { applyEdits, type Choice, directHead } from './edits.js'
import { type Answer, answerOf, chunksOf, type Head, type Lines, linesOf, textOf } from './message.js'
import type { AnswerInput, RequestInput } from './test-filter.js'

/** What a filter said: nothing, edits, or edits with bytes. */
type Said = undefined | string | [string, Uint8Array]
export type BodyMode = 'none' | 'stream' | 'buffer'

/** A filter as its host runs it. Phases: 0 request head, 1 request body, 2 response head, 3 response body. */
export interface TestHost {
  heads: { request: boolean; response: boolean }
  bodies: { request: BodyMode; response: BodyMode }
  call(phase: number, text: string | null, bytes: Uint8Array | null, last: boolean): Said | Promise<Said>
}

export interface Policy {
  onFailure: 'open' | 'closed'
  maxBodyBytes: number
}

export interface Failure {
  phase: 'onRequest' | 'onRequestBody' | 'onResponse' | 'onResponseBody'
  message: string
}

/** Where a body meets the filter; `textOf` writes the head that a whole body comes with. */
interface BodyPhase {
  phase: 1 | 3
  mode: BodyMode
  textOf: (head: Head) => string
}

const phases = ['onRequest', 'onRequestBody', 'onResponse', 'onResponseBody'] as const satisfies Failure['phase'][]

/** Ends the way of a request before its upstream, or replaces an answer. */
class Answered {
  readonly head: Head
  readonly body: Uint8Array
  constructor(head: Head, body: Uint8Array = new Uint8Array()) {
    this.head = head
    this.body = body
  }

  answer(broken = false): Answer {
    return answerOf(this.head, [this.body], broken)
  }
}

export class TestExchange {
  readonly choice: Choice = { route: null, cluster: null }
  readonly failures: Failure[] = []
  private readonly host: TestHost
  private readonly policy: Policy
  private skipped = false
  private circumstances = ''
  private at = 0

  constructor(host: TestHost, policy: Policy) {
    this.host = host
    this.policy = policy
  }

  /** The request as its upstream gets it; `refused` is the answer for which it never gets there. */
  async request(input: RequestInput): Promise<{ head: Head; body: Uint8Array[]; refused: Answer | null }> {
    const { method = 'GET', path = '/', client = '127.0.0.1', scheme = 'http', headers, body } = input
    this.circumstances = `\n${client}\n${scheme}`
    let head: Head = { start: `${method} ${path}`, lines: linesOf({ host: 'test.example', ...headers }) }
    try {
      if (this.host.heads.request) head = await this.edit(0, head, this.textOfRequest(head), this.choice)
      const textOf = (edited: Head) => this.textOfRequest(edited)
      const passed = await this.body({ phase: 1, mode: this.host.bodies.request, textOf }, chunksOf(body), head)
      return { ...passed, refused: null }
    } catch (answered) {
      if (!(answered instanceof Answered)) throw answered
      return { head, body: [], refused: answered.answer() }
    }
  }

  /** The answer as the client gets it. */
  async response({ status = 200, headers, body }: AnswerInput, request: Head): Promise<Answer> {
    let head: Head = { start: String(status), lines: linesOf(headers) }
    const textOf = (edited: Head) => this.textOfResponse(edited, request)
    try {
      if (this.host.heads.response && !this.skipped) head = await this.edit(2, head, textOf(head), null)
      const chunks = isBodiless(head, request) ? [] : chunksOf(body)
      const passed = await this.body({ phase: 3, mode: this.host.bodies.response, textOf }, chunks, head)
      return answerOf(passed.head, passed.body)
    } catch (answered) {
      if (!(answered instanceof Answered)) throw answered
      // A body that streams has had its head sent: the client can only be told by breaking off.
      return answered.answer(this.at === 3 && this.host.bodies.response === 'stream')
    }
  }

  private textOfRequest({ start, lines }: Head): string {
    return textOf(start + this.circumstances, lines)
  }

  /** Behind the answer stands the request, unless the filter has seen and kept it. */
  private textOfResponse({ start, lines }: Head, request: Head): string {
    return textOf(start, lines) + (this.host.heads.request ? '' : `\n${this.textOfRequest(request)}`)
  }

  private async edit(phase: number, head: Head, text: string, choice: Choice | null): Promise<Head> {
    const said = await this.ask(phase, text, null, false, (edits) => applyEdits(head, edits, choice))
    return said?.done ?? head
  }

  /** A body's way through a filter that streams it or has it whole. */
  private async body({ phase, mode, textOf }: BodyPhase, chunks: Uint8Array[], head: Head) {
    if (mode === 'none' || chunks.length === 0 || this.skipped) return { head, body: chunks }
    return mode === 'stream'
      ? { head: { ...head, lines: withLength(head.lines, null) }, body: await this.stream(phase, chunks) }
      : this.buffer({ phase, mode, textOf }, chunks, head)
  }

  private async buffer({ phase, textOf }: BodyPhase, chunks: Uint8Array[], head: Head) {
    const whole = Buffer.concat(chunks)
    if (whole.length > this.policy.maxBodyBytes) {
      if (phase === 1) throw new Answered({ start: '413', lines: [] })
      this.fail(phase, "the answer's body is longer than its `maxBodyBytes`")
      return { head, body: chunks }
    }
    const choice = phase === 1 ? this.choice : null
    const said = await this.ask(phase, textOf(head), whole, true, (edits) => applyEdits(head, edits, choice))
    const [edited, body] = [said?.done ?? head, said?.bytes ?? whole]
    const lines = withLength(edited.lines, body.length)
    return { head: { ...edited, lines }, body: body.length > 0 ? [body] : [] }
  }

  /** Each chunk by itself; after a failure that is passed over, the rest goes by unseen. */
  private async stream(phase: number, chunks: Uint8Array[]): Promise<Uint8Array[]> {
    const body: Uint8Array[] = []
    for (const [index, chunk] of chunks.entries()) {
      const said = this.skipped ? null : await this.ask(phase, null, chunk, index === chunks.length - 1, refuseEdits)
      body.push(said?.bytes ?? chunk)
    }
    return body.filter(({ length }) => length > 0)
  }

  /** One call; null when there is nothing to do, or when the filter failed and is passed over. */
  private async ask<Done>(
    phase: number,
    text: string | null,
    bytes: Uint8Array | null,
    last: boolean,
    edit: (edits: string) => Done,
  ): Promise<{ done: Done; bytes: Uint8Array | null } | null> {
    this.at = phase
    const said = await this.host.call(phase, text, bytes, last)
    if (said === undefined) return null
    const [edits, body] = typeof said === 'string' ? [said, null] : said
    try {
      if (edits.startsWith('!')) throw new Answered(directHead(edits), body ?? undefined)
      if (!edits.startsWith('?')) return { done: edit(edits), bytes: body }
      this.fail(phase, latin1AsUtf8(edits.slice(1)))
    } catch (problem) {
      if (problem instanceof Answered) throw problem
      this.fail(phase, (problem as Error).message)
    }
    return null
  }

  private fail(phase: number, message: string): void {
    this.failures.push({ phase: phases[phase] ?? 'onRequest', message })
    if (this.policy.onFailure === 'closed') throw new Answered({ start: '500', lines: [] })
    this.skipped = true
  }
}

/** The length that a body is announced with is the one that it has in the end; a stream's is not known. */
function withLength(lines: Lines, length: number | null): Lines {
  return lines.flatMap(([name, value]): Lines => {
    if (name !== 'content-length') return [[name, value]]
    return length === null ? [] : [[name, String(length)]]
  })
}

function isBodiless({ start }: Head, request: Head): boolean {
  return request.start.startsWith('HEAD ') || start === '204' || start === '304'
}

function refuseEdits(edits: string): void {
  if (edits !== '') throw new Error('of a body that streams only the bytes can be changed: ask for `buffer`')
}
