/** What the engine says about many recorded requests: the JSON of `replay`, as its source declares it. */

/** What a configuration would do with a request. */
export type Decision =
  /** `takes` is null where chance decides. */
  | { type: 'forward'; route: string; split: [cluster: string, weight: number][]; takes: string | null }
  | { type: 'redirect'; route: string; status: number; location: string }
  | { type: 'respond'; route: string; status: number }
  | { type: 'unroutable' }
  | { type: 'refused'; status: number; reason: string }
  | { type: 'no-listener' }

export interface Replayed {
  rejected: { path: string; code: string; message: string }[]
  /** Headers that records keep under it: those that were asked for, and those that routes look at. */
  headers: string[]
  /** Of which the values are never kept. */
  redacted: string[]
  /** One for each question, in their order. */
  decisions: Decision[]
}
