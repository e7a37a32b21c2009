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
      const passed = await this.body(1, this.host.bodies.request, chunksOf(body), head, (now) =>
        this.textOfRequest(now),
      )
      return { ...passed, refused: null }
    } catch (answered) {
      if (!(answered instanceof Answered)) throw answered
      return { head, body: [], refused: answered.answer() }
    }
  }

  /** The answer as the client gets it. */
  async response({ status = 200, headers, body }: AnswerInput, request: Head): Promise<Answer> {
    let head: Head = { start: String(status), lines: linesOf(headers) }
    try {
      // A filter that saw the request has kept it.
      const asked = this.host.heads.request ? '' : `\n${this.textOfRequest(request)}`
      const told = (now: Head) => textOf(now.start, now.lines) + asked
      if (this.host.heads.response && !this.skipped) head = await this.edit(2, head, told(head), null)
      const passed = await this.body(3, this.host.bodies.response, chunksOf(body), head, told)
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

  private async edit(phase: number, head: Head, text: string, choice: Choice | null): Promise<Head> {
    const said = await this.ask(phase, text, null, false, (edits) => applyEdits(head, edits, choice))
    return said?.done ?? head
  }

  /** A body's way through a filter that streams it or has it whole; with a whole one goes its head, as `told` writes it. */
  private async body(phase: 1 | 3, mode: BodyMode, chunks: Uint8Array[], head: Head, told: (head: Head) => string) {
    if (mode === 'none' || chunks.length === 0 || this.skipped) return { head, body: chunks }
    if (mode === 'buffer') return this.wholeBody(phase, Buffer.concat(chunks), head, told)
    const body: Uint8Array[] = []
    for (const [index, chunk] of chunks.entries()) {
      const last = index === chunks.length - 1
      const said = this.skipped ? null : await this.ask(phase, null, chunk, last, onlyBytes)
      body.push(said?.bytes ?? chunk)
    }
    const lines = head.lines.filter(([name]) => name !== 'content-length')
    return { head: { ...head, lines }, body: body.filter(({ length }) => length > 0) }
  }

  private async wholeBody(phase: 1 | 3, whole: Uint8Array, head: Head, told: (head: Head) => string) {
    const tooLong = whole.length > this.policy.maxBodyBytes
    if (tooLong && phase === 1) throw new Answered({ start: '413', lines: [] })
    if (tooLong) this.fail(phase, 'the body is longer than its `maxBodyBytes`')
    const choice = phase === 1 ? this.choice : null
    const said = tooLong
      ? null
      : await this.ask(phase, told(head), whole, true, (edits) => applyEdits(head, edits, choice))
    const body = said?.bytes ?? whole
    const { start, lines } = said?.done ?? head
    const measured = lines.map(([name, value]): Lines[number] =>
      name === 'content-length' ? [name, String(body.length)] : [name, value],
    )
    return { head: { start, lines: measured }, body: body.length > 0 ? [body] : [] }
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

function onlyBytes(edits: string): void {
  if (edits !== '') throw new Error('of a body that streams only the bytes can be changed: ask for `buffer`')
}
