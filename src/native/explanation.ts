/** What the engine says about a request that is asked about: the JSON of `explain`, as its source declares it. */

import type { Group } from './groups.js'

/** The question. `target` and `headers` stand as they would in the request, the Host among the headers. */
export interface Question {
  method: string
  target: string
  headers: [name: string, value: string][]
  /** The client's address. */
  client: string
  /** At this listener; null: at each. */
  listener: string | null
}

export interface Explained {
  rejected: { path: string; code: string; message: string }[]
  answers: ListenerAnswer[]
}

export interface ListenerAnswer {
  listener: string
  /** Why it would not be routed at all. */
  refused: { status: number; reason: string } | null
  explanation: Explanation | null
}

export interface Explanation {
  listener: string
  method: string
  host: string
  /** The header that named the host. */
  hostFrom: string
  path: string
  query: string
  /** Place of the chosen rule in `rules`; null: no route takes the request. */
  chosen: number | null
  /** Rules that take the host in the order in which they are tried, then the others. */
  rules: RuleVerdict[]
  outcome: Outcome | null
  fault?: FaultTold
  /** Where copies of some of the route's requests go, in words. */
  mirrors?: string[]
  /** The route was switched since its configuration was applied, in words. */
  switched?: string
}

/** What goes wrong with the route's requests on purpose. */
export interface FaultTold {
  /** Each fault with its share, in words. */
  does: string[]
  /** The rest of its time to live: 0 when it is over, null when it has none. */
  leftMs: number | null
}

export interface RuleVerdict {
  route: string
  routeIndex: number
  matchIndex: number
  /** What it asks, in words. */
  asks: string
  standing: 'chosen' | 'outranked' | 'passed-over'
  /** Why, in words; empty for the chosen one. */
  reason: string
  sameHost: boolean
}

export type Outcome =
  | { type: 'forward'; split: Share[]; sticky: string | null; path: string | null; authority: string | null }
  | { type: 'redirect'; status: number; location: string }
  | { type: 'respond'; status: number; bodyBytes: number }

export interface Share {
  cluster: string
  /** The labels of the part of it that is meant; null: all of it. */
  subset: string | null
  weight: number
  percent: number
  /** Whether the request goes there; null: chance decides. */
  takes: boolean | null
  /** Those that stand in for the subset, where it has none. */
  endpoints: string[]
  /** How they share requests as of now; null: there is nobody. */
  group: Group | null
  /** How its balancer keeps requests with an endpoint, and with which this one; null: chance decides. */
  affinity: { by: string; endpoint: string | null } | null
}
