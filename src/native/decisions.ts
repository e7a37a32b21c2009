/** The decision records as the engine tells of them: the shapes of what `records` and `why` return. Times are in µs. */
import type { Explanation } from './explanation.js'

/** Which records are asked for; what is absent does not matter. */
export interface RecordQuery {
  id?: string
  /** Name of the route; `-` for exchanges that no route took. */
  route?: string
  statusMin?: number
  statusMax?: number
  flag?: string
  sinceUnixUs?: number
  untilUnixUs?: number
  limit?: number
}

export interface RecordList {
  /** Newest first. */
  records: DecisionRecord[]
  more: boolean
}

export interface DecisionRecord {
  id: string
  startUnixUs: number
  worker: number
  seq: number
  generation: number
  /** Names are null where nothing was chosen, or when the generation is no longer known. */
  listener: string | null
  route: string | null
  cluster: string | null
  upstream: string | null
  downstream: string | null
  protocol: string
  method: string
  authority: string
  path: string
  headers: Record<string, string>
  /** 0 when no answer began. */
  status: number
  upstreamStatus: number
  flag: string
  detail: string
  marks: string[]
  attemptCount: number
  requestBytes: number
  responseBytes: number
  headUs: number
  firstByteUs: number
  totalUs: number
  traceId: string | null
  attempts?: Attempt[]
}

/** Times count from the exchange's start. */
export interface Attempt {
  startedUs: number
  /** 0 for a connection that was reused, or never made. */
  connectUs: number
  endedUs: number
  endpoint: number
  /** 0 for none. */
  status: number
  upstream: string | null
  cause: number
}

export interface Why {
  record: DecisionRecord
  generationInForce: number
  generationKnown: boolean
  flagInWords: string | null
  advice: string
  policies: string[]
  /** Which rules were passed over, and why; null when the generation is no longer known. */
  routing: Explanation | null
  attempts: (Attempt & { reused: boolean; failure: string | null; candidates: Candidate[] })[]
  /** Endpoints of the cluster that were kept from requests when it began; µs since 1970. */
  passedOver: PassedOver[]
  /** Recorded headers whose values are not kept. */
  redacted: string[]
  /** Other records of the same id. */
  others: number
}

export interface PassedOver {
  address: string
  by: 'ejected' | 'breaker-open'
  sinceUnixUs: number
  untilUnixUs: number
  reason: string
}

/** An endpoint that the balancer compared: the lowest score was picked; null is one that might not be used. */
export interface Candidate {
  address: string | null
  score: number | null
  picked: boolean
}
