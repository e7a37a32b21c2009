/**
 * Runs one phase of one filter: text in, what it said out. The same in place and in a pool; no socket is needed.
 *
 * Invariant: never throws or rejects; whatever the filter did comes out as what the engine understands.
 */
import { encodeAnswer } from './answer.js'
import { RequestBody, ResponseBody, replacement } from './body.js'
import type { BodyDecision, BodyMode, FilterContext, FilterDefinition } from './definition.js'
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
  phases: Phases
  /** Whether anything is kept for later phases. */
  keeps: boolean
}

/** What is kept of an exchange between the phases of one filter; plain data as long as its state is. */
export interface Kept {
  state: unknown
  request: KeptHead | null
  /** Only where parts of an answer's body follow its head. */
  response?: KeptHead
}

interface KeptHead {
  text: string
  changes: string
}

/** Bytes of a body as they come from the engine. */
export interface BodyBytes {
  bytes: Uint8Array
  last: boolean
}

/** The phases in which a filter is called. */
export interface Phases {
  requestHead: boolean
  responseHead: boolean
  requestBody: BodyMode | 'none'
  responseBody: BodyMode | 'none'
}

/** One that keeps something is always called with the request; parts of a body come without the head they belong to. */
export function phasesOf(definition: FilterDefinition): Phases {
  const { state, onRequest, onResponse, onRequestBody, onResponseBody } = definition
  const requestBody = onRequestBody === undefined ? 'none' : (definition.requestBody ?? 'buffer')
  const responseBody = onResponseBody === undefined ? 'none' : (definition.responseBody ?? 'buffer')
  const streams = requestBody === 'stream' || responseBody === 'stream'
  return {
    requestHead: onRequest !== undefined || state !== undefined || streams,
    responseHead: onResponse !== undefined || responseBody === 'stream',
    requestBody,
    responseBody,
  }
}

export function keeps(definition: FilterDefinition): boolean {
  const { requestHead, responseHead, requestBody, responseBody } = phasesOf(definition)
  const later = responseHead || requestBody !== 'none' || responseBody !== 'none'
  return definition.state !== undefined || (requestHead && later)
}

/** `kept` is filled by the first phase and read by later ones. `text` is null for parts of a body that streams. */
export function runPhase(
  filter: LoadedFilter,
  phase: number,
  text: string | null,
  kept: Kept,
  body: BodyBytes = noBody,
): Said | Promise<Said> {
  try {
    if (phase === phases.requestHead) return runRequest(filter, text ?? '', kept)
    if (phase === phases.responseHead) return runResponse(filter, text ?? '', kept)
    return phase === phases.requestBody
      ? runRequestBody(filter, text, kept, body)
      : runResponseBody(filter, text, kept, body)
  } catch (error) {
    return failure(error)
  }
}

const noBody: BodyBytes = { bytes: new Uint8Array(), last: true }

export function failure(error: unknown): string {
  return `?${utf8AsLatin1(error instanceof Error ? `${error.name}: ${error.message}` : `it threw ${String(error)}`)}`
}

function runRequest(filter: LoadedFilter, text: string, kept: Kept): Said | Promise<Said> {
  const { definition } = filter
  if (definition.state !== undefined) kept.state = definition.state()
  const edits = new Edits('request')
  const request = new FilterRequest(text, edits)
  const keep = () => {
    if (filter.keeps) kept.request = { text, changes: edits.text }
  }
  return settle(definition.onRequest?.(request, contextOf(filter, kept)), { edits, body: null, keep })
}

function runRequestBody(filter: LoadedFilter, text: string | null, kept: Kept, body: BodyBytes): Said | Promise<Said> {
  const edits = new Edits('request')
  const known = kept.request
  const head = text === null ? pastRequest(known?.text ?? '', known?.changes ?? '') : new FilterRequest(text, edits)
  const seen = new RequestBody(body.bytes, body.last, head)
  const keep = () => {
    if (text !== null && known !== null) kept.request = { text, changes: edits.text }
  }
  const decision = filter.definition.onRequestBody?.(seen, contextOf(filter, kept))
  return settle(decision, { edits, body: text === null ? 'stream' : 'buffer', keep })
}

function runResponse(filter: LoadedFilter, text: string, kept: Kept): Said | Promise<Said> {
  const edits = new Edits('response')
  const response = responseOf(text, edits, kept)
  const keep = () => {
    if (filter.phases.responseBody === 'stream') kept.response = { text, changes: edits.text }
  }
  return settle(filter.definition.onResponse?.(response, contextOf(filter, kept)), { edits, body: null, keep })
}

function runResponseBody(filter: LoadedFilter, text: string | null, kept: Kept, body: BodyBytes): Said | Promise<Said> {
  const past = text === null
  const edits = new Edits('response')
  const response = past ? pastResponse(kept) : responseOf(text, edits, kept)
  const seen = new ResponseBody(body.bytes, body.last, response)
  const decision = filter.definition.onResponseBody?.(seen, contextOf(filter, kept))
  return settle(decision, { edits, body: past ? 'stream' : 'buffer' })
}

function pastResponse(kept: Kept): FilterResponse {
  const edits = new Edits('response', kept.response?.changes)
  edits.close()
  return responseOf(kept.response?.text ?? '', edits, kept)
}

function responseOf(text: string, edits: Edits, { request }: Kept): FilterResponse {
  // Behind an empty line stands the request, where this filter has not seen it before.
  const end = request === null ? text.indexOf('\n\n') + 1 : 0
  const head = end === 0 ? text : text.slice(0, end)
  return new FilterResponse(head, edits, () =>
    request === null ? pastRequest(text.slice(end + 1), '') : pastRequest(request.text, request.changes),
  )
}

function contextOf({ definition, options, context }: LoadedFilter, kept: Kept): FilterContext {
  return definition.state === undefined ? context : { options, state: kept.state, log: context.log }
}

/** How a call ends: what it changed, whether bytes may come back, what is kept then. */
interface Ending {
  edits: Edits
  body: BodyMode | null
  keep?: () => void
}

function settle(decision: BodyDecision | Promise<BodyDecision>, ending: Ending): Said | Promise<Said> {
  if (isPromise(decision)) {
    return Promise.resolve(decision)
      .then((late) => finish(late, ending), failure)
      .catch(failure)
  }
  return finish(decision, ending)
}

function finish(decision: BodyDecision, { edits, body, keep }: Ending): Said {
  edits.close()
  keep?.()
  const { text } = edits
  if (decision === undefined) return text === '' ? undefined : text
  const bytes = body === null ? null : replacement(decision)
  if (bytes !== null) return [text, bytes]
  if (body === 'stream') throw new TypeError(onlyBytes)
  return encodeAnswer(decision)
}

const onlyBytes = 'of a body that streams it may return text, bytes or nothing; an answer needs the mode `buffer`'

function isPromise(value: unknown): value is Promise<BodyDecision> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}
