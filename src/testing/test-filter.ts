/**
 * Runs a filter through one exchange without a socket: the request's head and body, an upstream that the test stands in
 * for, and the way back. The host that serves traffic calls the filter; what it says is checked and done as the engine
 * would.
 */
import { type InlineFilter, usualMaxBodyBytes } from '../filters/definition.js'
import { type Answer, type BodyInput, type Forwarded, forwardedOf, type HeaderValues } from './message.js'
import { type Failure, TestExchange } from './test-exchange.js'
import { type LogLine, openHost } from './test-host.js'

export interface RequestInput {
  /** GET. */
  method?: string
  /** With its query; `/`. */
  path?: string
  /** `host` is `test.example` unless it stands here. */
  headers?: HeaderValues
  /** Of a list each part arrives as a chunk of its own. */
  body?: BodyInput
  /** 127.0.0.1. */
  client?: string
  /** http. */
  scheme?: string
}

export interface AnswerInput {
  /** 200. */
  status?: number
  headers?: HeaderValues
  body?: BodyInput
}

export interface TestOptions {
  /** As a configuration would have them; the filter's schema sees them. */
  options?: unknown
  request?: RequestInput
  /** What answers; a 200 without a body where there is none. */
  upstream?: (request: Forwarded) => AnswerInput | Promise<AnswerInput>
  /** `place` unless told: a filter for the pool may be asynchronous. */
  runIn?: 'place' | 'pool'
  onFailure?: 'open' | 'closed'
  /** What the filter says, else 1 MiB. */
  maxBodyBytes?: number
}

export interface TestRun {
  /** Null: the request never got there. */
  upstream: Forwarded | null
  response: Answer
  /** What the filter chose by `useRoute` and `useCluster`. */
  route: string | null
  cluster: string | null
  /** Where the filter failed, and why; its policy was applied. */
  failures: Failure[]
  /** What it logged. */
  log: LogLine[]
}

/** Throws what keeps a filter from being loaded; what it does wrong later stands in `failures`. */
export async function testFilter(filter: InlineFilter, test: TestOptions = {}): Promise<TestRun> {
  const { request = {}, upstream = () => ({}), onFailure = 'closed' } = test
  const log: LogLine[] = []
  const host = await openHost(filter, test, log)
  const maxBodyBytes = test.maxBodyBytes ?? filter.definition.maxBodyBytes ?? usualMaxBodyBytes
  const exchange = new TestExchange(host, { onFailure, maxBodyBytes })
  const { head, body, refused } = await exchange.request(request)
  const { choice, failures } = exchange
  if (refused !== null) return { upstream: null, response: refused, ...choice, failures, log }
  const forwarded = forwardedOf(head, body)
  const response = await exchange.response(await upstream(forwarded), head)
  return { upstream: forwarded, response, ...choice, failures, log }
}
