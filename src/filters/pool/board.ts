/**
 * What a thread of the pool tells of each call without a message: whether it has begun it, since when, and whether the
 * filter has given the loop back. A thread that never comes back to its loop cannot send one.
 *
 * Invariants: a place belongs to one call until the pool has settled it; the traffic thread alone withdraws a call, and
 * either that or the begin wins, never both.
 */

const states = ['waiting', 'loading', 'running', 'yielded', 'withdrawn', 'done'] as const
export type Progress = (typeof states)[number]
const [waiting, loading, running, yielded, withdrawn, done] = [0, 1, 2, 3, 4, 5]

const words = 3
const [state, thread, since] = [0, 1, 2]

export class Board {
  readonly memory: SharedArrayBuffer
  private readonly words: Int32Array
  private readonly free: number[]

  constructor(places: number | SharedArrayBuffer) {
    this.memory = typeof places === 'number' ? new SharedArrayBuffer(places * words * 4) : places
    this.words = new Int32Array(this.memory)
    this.free = typeof places === 'number' ? Array.from({ length: places }, (_, place) => place) : []
  }

  /** A place for one call; null when all are taken. */
  take(): number | null {
    const place = this.free.pop()
    if (place === undefined) return null
    this.reset(place)
    return place
  }

  give(place: number): void {
    this.free.push(place)
  }

  /** The call will be begun again. */
  reset(place: number): void {
    this.store(place, thread, 0)
    this.store(place, state, waiting)
  }

  /** In the pool: the call is taken up, and its module loaded first if need be. False: nobody waits for it any more. */
  takeUp(place: number, threadId: number): boolean {
    this.store(place, since, clockMs())
    if (Atomics.compareExchange(this.words, place * words + state, waiting, loading) !== waiting) return false
    this.store(place, thread, threadId)
    return true
  }

  /** In the pool: the filter is called now. */
  begin(place: number): void {
    this.store(place, since, clockMs())
    this.store(place, state, running)
  }

  /** In the pool: the filter has returned a promise. */
  yield(place: number): void {
    this.store(place, state, yielded)
  }

  /** In the pool: the filter has answered, and the answer is on its way. */
  finish(place: number): void {
    this.store(place, state, done)
  }

  /** False: it has been taken up already. */
  withdraw(place: number): boolean {
    return Atomics.compareExchange(this.words, place * words + state, waiting, withdrawn) === waiting
  }

  progress(place: number): Progress {
    return states[Atomics.load(this.words, place * words + state)] ?? 'waiting'
  }

  /** The thread that has taken up the call; 0 when none has. */
  threadOf(place: number): number {
    return Atomics.load(this.words, place * words + thread)
  }

  /** Since it was taken up, or since the filter was called if it was. */
  elapsedMs(place: number): number {
    return (clockMs() - Atomics.load(this.words, place * words + since)) | 0
  }

  private store(place: number, word: number, value: number): void {
    Atomics.store(this.words, place * words + word, value)
  }
}

/** The same in all threads of a process, where `performance.now` is not; wraps around after 24 days, as differences may. */
function clockMs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return (seconds * 1000 + Math.floor(nanoseconds / 1e6)) | 0
}
