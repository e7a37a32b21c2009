/** What an author of a filter writes: {@link defineFilter} and the types around it. */
import type { DirectAnswer } from './answer.js'
import type { RequestBody, ResponseBody } from './body.js'
import type { FilterRequest } from './request.js'
import type { FilterResponse } from './response.js'

/** The part of Standard Schema (standardschema.dev) that options are checked with; zod, valibot and arktype have it. */
export interface OptionsSchema<Options = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => OptionsVerdict<Options> | Promise<OptionsVerdict<Options>>
    readonly types?: { readonly input: unknown; readonly output: Options } | undefined
  }
}

export type OptionsVerdict<Options> =
  | { readonly value: Options; readonly issues?: undefined }
  | { readonly issues: readonly OptionsIssue[] }

export interface OptionsIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** Lines of the proxy's own log, marked with the filter's name. */
export interface FilterLog {
  info(message: string): void
  warn(message: string): void
  error(message: string): void
}

export interface FilterContext<Options = unknown, State = unknown> {
  /** As the schema returned them. */
  readonly options: Options
  /** What `state` made for this exchange. */
  readonly state: State
  readonly log: FilterLog
}

/** Nothing: the exchange goes on. An answer ends it here. */
// biome-ignore lint/suspicious/noConfusingVoidType: a filter that returns nothing is the usual one
export type Decision = DirectAnswer | undefined | void

/** Nothing: the body stays as it is. Text or bytes take its place, or that of the part. An answer needs `buffer`. */
export type BodyDecision = Decision | string | Uint8Array

/** `stream`: each part as it comes. `buffer`: all of it, up to `maxBodyBytes`. */
export type BodyMode = 'stream' | 'buffer'

/** Where neither a filter nor its configuration says how much of a body is gathered. */
export const usualMaxBodyBytes = 1_048_576

export interface FilterDefinition<Options = unknown, State = unknown> {
  /** Names it in records, counts and logs. */
  name: string
  options?: OptionsSchema<Options>
  /** Called at the begin of each exchange that meets the filter. */
  state?: () => State
  /** The request's head is here. A promise only where the filter runs in a pool. */
  onRequest?(request: FilterRequest, context: FilterContext<Options, State>): Decision | Promise<Decision>
  /** The answer's head is here; an answer of its own takes its place. */
  onResponse?(response: FilterResponse, context: FilterContext<Options, State>): Decision | Promise<Decision>
  /** How `onRequestBody` is called; `buffer` where it does not say. */
  requestBody?: BodyMode
  /** Bytes of the request's body are here. Not called for requests without a body. */
  onRequestBody?(body: RequestBody, context: FilterContext<Options, State>): BodyDecision | Promise<BodyDecision>
  /** How `onResponseBody` is called; `buffer` where it does not say. */
  responseBody?: BodyMode
  /** Bytes of the answer's body are here. Not called for HEAD, 204, 304, upgrades and the proxy's own answers. */
  onResponseBody?(body: ResponseBody, context: FilterContext<Options, State>): BodyDecision | Promise<BodyDecision>
  /** Of a buffered body. More is a 413 in a request; in an answer `onFailure` decides. Absent: 1 MiB. */
  maxBodyBytes?: number
}

/** A filter as it stands in a configuration, or as the default export of a module that a configuration names. */
export interface InlineFilter {
  readonly type: 'inline'
  readonly definition: FilterDefinition
}

export function defineFilter<Options = undefined, State = undefined>(
  definition: FilterDefinition<Options, State>,
): InlineFilter {
  const { name, onRequest, onResponse, onRequestBody, onResponseBody } = definition
  if (typeof name !== 'string' || name === '' || name.length > 128) {
    throw new TypeError('defineFilter: `name` must be a text of 1 to 128 characters')
  }
  const wrong = (key: string, why: string) =>
    new TypeError(`defineFilter: \`${key}\` of the filter ${JSON.stringify(name)} ${why}`)
  for (const [key, value] of Object.entries({ onRequest, onResponse, onRequestBody, onResponseBody })) {
    if (value !== undefined && typeof value !== 'function') throw wrong(key, 'is not a function')
  }
  checkBodies(definition, wrong)
  // What runs it hands it exactly what it asked for.
  return Object.freeze({ type: 'inline', definition: definition as unknown as FilterDefinition })
}

type BodyKeys = Pick<FilterDefinition, 'requestBody' | 'responseBody' | 'maxBodyBytes'>

function checkBodies(
  definition: BodyKeys & { onRequestBody?: unknown; onResponseBody?: unknown },
  wrong: (key: string, why: string) => TypeError,
): void {
  for (const [key, by] of [
    ['requestBody', 'onRequestBody'],
    ['responseBody', 'onResponseBody'],
  ] as const) {
    const mode = definition[key]
    if (mode !== undefined && mode !== 'stream' && mode !== 'buffer') throw wrong(key, "must be 'stream' or 'buffer'")
    if (mode !== undefined && definition[by] === undefined) throw wrong(key, `has no \`${by}\` beside it`)
  }
  const { maxBodyBytes = 0 } = definition
  if (!Number.isInteger(maxBodyBytes) || maxBodyBytes < 0 || maxBodyBytes > 0xffff_ffff) {
    throw wrong('maxBodyBytes', 'must be a number of bytes below 4 GiB')
  }
}

/** Whatever copy of this package defined it. */
export function isInlineFilter(value: unknown): value is InlineFilter {
  const { type, definition } = (value ?? {}) as Partial<InlineFilter>
  return type === 'inline' && typeof definition?.name === 'string'
}
