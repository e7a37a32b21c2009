/**
 * What a program sees of its proxy's counts: by name, in plain values that can be logged, sent or kept.
 *
 * Invariant: every count is exact; a duration is at most 3 % off, as the engine keeps them.
 */

export interface ProxyStats {
  generation: number
  draining: boolean
  /** Of the proxy as a whole, under the names of its metrics. */
  counters: Record<string, number>
  listeners: Record<string, ListenerStats>
  routes: Record<string, RouteStats>
  clusters: Record<string, ClusterStats>
}

export interface RequestStats {
  /** Requests that have had their answer, whoever gave it. */
  requests: number
  /** How many of them by status code; 0 counts those whose client left before. */
  statuses: Record<number, number>
  /** Body bytes. */
  requestBytes: number
  responseBytes: number
}

export interface ListenerStats extends RequestStats {
  /** Where it really listens. */
  address: string
}

export interface RouteStats extends RequestStats {
  /** From a request's head to the end of its answer. */
  latency: Latency
}

export interface ClusterStats extends RequestStats {
  /** Under the names of its metrics. */
  counters: Record<string, number>
  /** From the begin of an attempt to the answer's first byte, over the endpoints in force. */
  latency: Latency
  /** By address. */
  endpoints: Record<string, EndpointStats>
}

export interface EndpointStats {
  weight: number
  /** Whether requests may be sent to it. */
  healthy: boolean
  /** What its health check found last: `unchecked`, `pending`, `healthy` or `unhealthy`. */
  health: string
  /** It says itself that others are to be asked first. */
  degraded: boolean
  /** Outlier detection has ejected it. */
  ejected: Spell | null
  /** Its breaker is open. */
  breaker: Spell | null
  /** Attempts, the failed ones included. */
  requests: number
  /** Attempts without an answer. */
  failures: number
  /** Answers with a status of 500 or above. */
  serverErrors: number
  /** Attempts under way. */
  active: number
  /** Connections that wait for a request. */
  idle: number
  latency: Latency
}

/** A time for which an endpoint gets no requests. */
export interface Spell {
  since: Date
  /** As planned. */
  until: Date
  reason: string
}

/** Durations in microseconds; null where nothing was measured yet. */
export interface Latency {
  count: number
  p50Us: number | null
  p90Us: number | null
  p99Us: number | null
  maxUs: number | null
  /** The whole distribution as an HDR histogram: V2, compressed, base64, as `decodeFromCompressedBase64` of hdr-histogram-js reads it. */
  hdr: string | null
}
