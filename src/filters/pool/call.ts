/**
 * What crosses between a traffic thread and its pool. Everything here is copied (structured clone), which costs more the
 * more objects there are: a call is one flat list, and a script crosses only to a thread that does not know it yet.
 */
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

/** What a phase is given, as the engine told it; `kept` is what the script's earlier phases of this exchange left, or null. */
export interface PhaseCall {
  phase: number
  text: string | null
  bytes: Uint8Array | null
  last: boolean
  kept: unknown
}

/** `place` is on the board; `load` stands where the thread may not know the script. Without more it is only loaded. */
export type PoolTask = [place: number, script: number, load: PoolScript | null, ...call: WrittenCall | []]

type WrittenCall = [phase: number, text: string | null, bytes: Uint8Array | null, last: boolean, kept: unknown]

/** `kept` is null when nothing is left for later phases. */
export interface PoolAnswer {
  said: Said
  kept: unknown
}

/** `unknown`: the thread has to be told the script. Null: nobody waits for it, or it was given up at its time budget. */
export type TaskAnswer = [said: Said, kept: unknown] | 'unknown' | null

export function writeTask(place: number, script: PoolScript, call: PhaseCall | null, load: boolean): PoolTask {
  if (call === null) return [place, script.id, script]
  const { phase, text, bytes, last, kept } = call
  return [place, script.id, load ? script : null, phase, text, bytes, last, kept]
}

export interface ThreadData {
  board: SharedArrayBuffer
}
