/** A filter ready for one exchange of the test kit, run by what runs it in a proxy. */
import { type FilterLog, type InlineFilter, isInlineFilter } from '../filters/definition.js'
import { readyFilter } from '../filters/load-filter.js'
import { type Kept, phasesOf, runPhase } from '../filters/run-phase.js'
import type { TestHost } from './test-exchange.js'

export interface LogLine {
  level: keyof FilterLog
  message: string
}

export interface HostOptions {
  options?: unknown
  runIn?: 'place' | 'pool'
}

/** Throws what would keep the filter from being loaded. */
export async function openHost(filter: InlineFilter, { options, runIn = 'place' }: HostOptions, log: LogLine[]) {
  if (!isInlineFilter(filter)) throw new TypeError('testFilter: pass what defineFilter returned')
  const { definition } = filter
  const lineOf = (level: LogLine['level']) => (message: string) => void log.push({ level, message })
  const lines = { info: lineOf('info'), warn: lineOf('warn'), error: lineOf('error') }
  const loaded = await readyFilter(definition, options, lines)
  const kept: Kept = { state: undefined, request: null }
  const { requestHead, responseHead, requestBody, responseBody } = phasesOf(definition)
  return {
    heads: { request: requestHead, response: responseHead },
    bodies: { request: requestBody, response: responseBody },
    call(phase, text, bytes, last) {
      // A copy, as the engine hands it over: what a filter writes into it changes nothing.
      const body = bytes === null ? undefined : { bytes: new Uint8Array(bytes), last }
      const said = runPhase(loaded, phase, text, kept, body)
      if (runIn === 'pool' || !(said instanceof Promise)) return said
      return '?it returned a promise, which only a filter with `runIn: pool` may'
    },
  } satisfies TestHost
}
