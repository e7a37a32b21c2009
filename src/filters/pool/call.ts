/** What crosses between a traffic thread and its pool. Everything here is copied (structured clone). */
import type { Said } from '../run-phase.js'

/** A filter as a thread of the pool loads it. */
export interface PoolScript {
  id: number
  name: string
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

export interface ThreadData {
  board: SharedArrayBuffer
}
