/**
 * What a traffic thread keeps for the main thread to read at any moment: which filter it is in, and what its pool has
 * counted. Memory that both share: a thread that stands still answers no message.
 *
 * Invariants: only the thread writes; it outlives the thread, so that counts go on in the one that comes in its place.
 */

/** What a pool counts, and what each count says. */
export const poolCounts = {
  calls: 'Calls of filters in the pool.',
  late: 'Calls of filters in the pool that took longer than their timeBudget.',
  refused: 'Calls of filters in the pool that were refused because filterPool.maxQueue were open.',
  repeated: 'Calls of filters in the pool that were begun again because their thread had ended.',
  threadsEnded: 'Threads of the pool that were ended or ended themselves while they had a call.',
} as const

export type PoolCount = keyof typeof poolCounts
const names = Object.keys(poolCounts) as PoolCount[]

export class ThreadSheet {
  readonly memory: SharedArrayBuffer
  /** Its first word is the number of the filter that the loop is in; 0: none. */
  readonly running: Int32Array
  private readonly counts: Float64Array

  constructor(memory = new SharedArrayBuffer(8 * (1 + names.length))) {
    this.memory = memory
    this.running = new Int32Array(memory, 0, 1)
    this.counts = new Float64Array(memory, 8)
  }

  /** One more. */
  count(name: PoolCount): void {
    const place = names.indexOf(name)
    this.counts[place] = this.read(name) + 1
  }

  read(name: PoolCount): number {
    return this.counts[names.indexOf(name)] ?? 0
  }
}
