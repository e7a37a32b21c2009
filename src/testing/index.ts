/** What a filter's own tests import: `weftmesh/testing`. */
export type { Answer, BodyInput, Forwarded, HeaderValues } from './message.js'
export type { Failure } from './test-exchange.js'
export { type AnswerInput, type RequestInput, type TestOptions, type TestRun, testFilter } from './test-filter.js'
export type { LogLine } from './test-host.js'
