/**
 * Runs one phase of one filter: text in, what it said out. The same in place and in a pool; no socket is needed.
 *
 * Invariant: never throws or rejects; whatever the filter did comes out as what the engine understands.
 */
import { encodeAnswer } from './answer.js'
import type { Decision, FilterContext, FilterDefinition } from './definition.js'
import { Edits } from './edits.js'
import { utf8AsLatin1 } from './latin1.js'
import { FilterRequest, pastRequest } from './request.js'
import { FilterResponse } from './response.js'

export const phases = { requestHead: 0, requestBody: 1, responseHead: 2, responseBody: 3, failed: 4 } as const

/** What the engine is told: see native/binding/src/script.rs. */
export type Said = undefined | string | [string, Uint8Array]

/** A filter with its options, ready to run. */
export interface LoadedFilter {
  definition: FilterDefinition
  options: unknown
  /** For filters without a state of their own: the same for all calls. */
  context: FilterContext
}

/** What is kept of an exchange between the phases of one filter; plain data as long as its state is. */
export interface Kept {
  state: unknown
  request: { text: string; changes: string } | null
}

/** Whether anything is kept for later phases. */
export function keeps({ state, onRequest, onResponse }: FilterDefinition): boolean {
  return state !== undefined || (onRequest !== undefined && onResponse !== undefined)
}

/** The phases in which a filter is called. One that keeps something is always called with the request. */
export function phasesOf(definition: FilterDefinition): { requestHead: boolean; responseHead: boolean } {
  const { state, onRequest, onResponse } = definition
  return { requestHead: onRequest !== undefined || state !== undefined, responseHead: onResponse !== undefined }
}

/** `kept` is filled by the first phase and read by later ones. */
export function runPhase(filter: LoadedFilter, phase: number, text: string, kept: Kept): Said | Promise<Said> {
  try {
    return phase === phases.requestHead ? runRequest(filter, text, kept) : runResponse(filter, text, kept)
  } catch (error) {
    return failure(error)
  }
}

export function failure(error: unknown): string {
  return `?${utf8AsLatin1(error instanceof Error ? `${error.name}: ${error.message}` : `it threw ${String(error)}`)}`
}

function runRequest(filter: LoadedFilter, text: string, kept: Kept): Said | Promise<Said> {
  const { definition } = filter
  if (definition.state !== undefined) kept.state = definition.state()
  const edits = new Edits('request')
  const request = new FilterRequest(text, edits)
  return settle(definition.onRequest?.(request, contextOf(filter, kept)), edits, () => {
    if (definition.onResponse !== undefined) kept.request = { text, changes: edits.text }
  })
}

function runResponse(filter: LoadedFilter, text: string, kept: Kept): Said | Promise<Said> {
  const edits = new Edits('response')
  const known = kept.request
  // Behind an empty line stands the request, where this filter has not seen it before.
  const end = known === null ? text.indexOf('\n\n') + 1 : 0
  const head = end === 0 ? text : text.slice(0, end)
  const response = new FilterResponse(head, edits, () =>
    known === null ? pastRequest(text.slice(end + 1), '') : pastRequest(known.text, known.changes),
  )
  return settle(filter.definition.onResponse?.(response, contextOf(filter, kept)), edits, () => {})
}

function contextOf({ definition, options, context }: LoadedFilter, kept: Kept): FilterContext {
  return definition.state === undefined ? context : { options, state: kept.state, log: context.log }
}

function settle(decision: Decision | Promise<Decision>, edits: Edits, done: () => void): Said | Promise<Said> {
  if (isPromise(decision)) {
    return Promise.resolve(decision)
      .then((late) => finish(late, edits, done), failure)
      .catch(failure)
  }
  return finish(decision, edits, done)
}

function finish(decision: Decision, edits: Edits, done: () => void): Said {
  edits.close()
  done()
  if (decision !== undefined) return encodeAnswer(decision)
  return edits.text === '' ? undefined : edits.text
}

function isPromise(value: unknown): value is Promise<Decision> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}
