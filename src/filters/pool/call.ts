/** What crosses between a traffic thread and its pool. Everything here is copied (structured clone). */

/** A filter as a thread of the pool loads it. */
export interface PoolScript {
  id: number
  /** Of the module, with the mark of its content: another content is another module to the thread. */
  url: string
  options: unknown
  timeBudgetMs: number
}

/** What a phase is given, as the engine told it; `kept` is what the script's earlier phases of this exchange left. */
export interface PhaseCall {
  phase: number
  text: string | null
  bytes: Uint8Array | null
  last: boolean
  kept: unknown
}

/** What the engine is told, in its own words. */
export type Said = undefined | string | [string, Uint8Array]

export interface PoolTask {
  script: PoolScript
  /** On the board. */
  place: number
  /** Null: load the module and run nothing. */
  call: PhaseCall | null
}

export interface PoolAnswer {
  said: Said
  kept: unknown
}

/** Sent beside the answers. */
export interface PoolLog {
  filter: string
  level: 'debug' | 'info' | 'warn' | 'error'
  message: string
}

export interface ThreadData {
  board: SharedArrayBuffer
}
