/**
 * Runs filters in threads of their own: `run` hands a call to piscina, watches over it, and settles it exactly once.
 *
 * Invariants: a call that nobody has begun is never lost with a thread, it is begun again; one that has begun on a thread
 * which ends is its script's failure when it was alone there, else it is begun once more; a filter over its time budget
 * has failed at that moment, and its thread is ended if it does not give the loop back; at most `maxQueue` calls are open.
 */
import { fileURLToPath } from 'node:url'
import { Piscina } from 'piscina'
import type { Said } from '../run-phase.js'
import type { FilterLine } from '../script-host.js'
import { Board } from './board.js'
import type { PhaseCall, PoolAnswer, PoolScript, PoolTask, ThreadData } from './call.js'
import { Suspensions } from './suspension.js'

/** A call that waits this long for a thread to begin it has failed. */
const patienceMs = 1_000
/** How long a filter over its budget may hold its thread after it had yielded. */
const graceMs = 50
/** A module must be loaded by then. */
const loadMs = 10_000
/** Calls of one thread at a time: those that wait for something outside, such as another service. */
const callsPerThread = 16
/** How often a call is begun again that was on a thread which ended. */
const mostAttempts = 2

export interface FilterPoolOptions {
  threads: number
  /** Open calls, waiting and running. */
  maxQueue: number
  /** Of the heap of each thread. */
  maxHeapMb: number
  log: (line: FilterLine) => void
  /** Of the threads; another one in tests. */
  entry?: string
}

/** `failure` is null when the filter answered. */
export interface Outcome {
  said: Said
  kept: unknown
  failure: string | null
}

export interface PoolCounts {
  calls: number
  /** Over their time budget. */
  late: number
  /** Refused because too many were open. */
  refused: number
  /** Begun again because their thread had ended. */
  repeated: number
  /** Threads that were ended or ended themselves. */
  threadsEnded: number
}

interface Open {
  script: PoolScript
  call: PhaseCall | null
  place: number
  settle: (outcome: Outcome) => void
  settled: boolean
  /** Its policy was applied; its thread is ended when it does not answer now. */
  grace: boolean
  /** Threads that ended while they ran it. */
  attempts: number
  /** How often it was given to the pool; an end of an earlier run tells nothing of this one. */
  runs: number
  begunMs: number
  timer: NodeJS.Timeout | null
}

export class FilterPool {
  readonly counts: PoolCounts = { calls: 0, late: 0, refused: 0, repeated: 0, threadsEnded: 0 }
  private readonly pool: Piscina
  private readonly board: Board
  private readonly open = new Set<Open>()
  private readonly suspensions = new Suspensions(() => performance.now())
  private closed = false

  constructor({ threads, maxQueue, maxHeapMb, log, entry }: FilterPoolOptions) {
    this.board = new Board(maxQueue)
    this.pool = new Piscina({
      filename: entry ?? fileURLToPath(new URL('./pool-thread.js', import.meta.url)),
      minThreads: threads,
      maxThreads: threads,
      concurrentTasksPerWorker: callsPerThread,
      // With them an idle thread stands still: what a filter does between calls, refreshing keys for example, would too.
      atomics: 'disabled',
      recordTiming: false,
      resourceLimits: { maxOldGenerationSizeMb: maxHeapMb, maxYoungGenerationSizeMb: 4, stackSizeMb: 2 },
      workerData: { board: this.board.memory } satisfies ThreadData,
    })
    this.pool.on('message', log)
    // A thread that ended while it had nothing to do: the pool has replaced it.
    this.pool.on('error', (error: Error) =>
      log({ filter: '', level: 'error', message: `a thread ended: ${error.message}` }),
    )
  }

  /** Loads a module in one thread; the others do when they first need it. Rejects with what it threw. */
  load(script: PoolScript): Promise<void> {
    return new Promise((resolve, reject) => {
      this.enter(script, null, ({ failure }) => (failure === null ? resolve() : reject(new Error(failure))))
    })
  }

  /** `settle` is called once, never during this call. */
  run(script: PoolScript, call: PhaseCall, settle: (outcome: Outcome) => void): void {
    this.counts.calls += 1
    const suspended = this.suspensions.why(script.id)
    if (suspended === null) this.enter(script, call, settle)
    else later(settle, suspended)
  }

  private enter(script: PoolScript, call: PhaseCall | null, settle: (outcome: Outcome) => void): void {
    const place = this.closed ? null : this.board.take()
    if (place === null) {
      this.counts.refused += 1
      later(settle, this.closed ? 'the pool is closed' : 'too many calls wait for the pool')
      return
    }
    const fresh = { settled: false, grace: false, attempts: 0, runs: 0, begunMs: 0, timer: null }
    const open: Open = { script, call, place, settle, ...fresh }
    this.open.add(open)
    this.begin(open)
  }

  async close(): Promise<void> {
    this.closed = true
    for (const open of this.open) this.fail(open, 'the pool is closed')
    await this.pool.destroy()
  }

  private begin(open: Open): void {
    const { script, place, call } = open
    open.runs += 1
    const run = open.runs
    open.begunMs = performance.now()
    open.timer = setTimeout(() => this.watch(open), script.timeBudgetMs)
    this.pool.run({ script, place, call } satisfies PoolTask).then(
      (answer: PoolAnswer) => this.answered(open, answer),
      (error: Error) => {
        if (run === open.runs && this.open.has(open)) this.lost(open, error)
      },
    )
  }

  private answered(open: Open, { said, kept }: PoolAnswer): void {
    this.settle(open, { said, kept, failure: null })
    this.forget(open)
  }

  /** A call's thread has ended, or could not do what it was asked to. */
  private lost(open: Open, error: Error): void {
    const thread = this.board.threadOf(open.place)
    if (this.closed) this.drop(open, 'the pool is closed')
    else if (thread === 0) this.repeat(open)
    else if (this.pool.threads.some(({ threadId }) => threadId === thread)) this.drop(open, error.message)
    else this.threadEnded(thread, error.message)
  }

  /** Finds who is to blame; the others are begun again. */
  private threadEnded(thread: number, reason: string): void {
    this.counts.threadsEnded += 1
    const there = [...this.open].filter(({ place }) => this.board.threadOf(place) === thread)
    const begun = there.filter(({ place }) => this.board.progress(place) !== 'loading')
    const suspects = begun.length > 0 ? begun : there
    const guilty = suspects.find(({ settled }) => settled) ?? (suspects.length === 1 ? suspects[0] : undefined)
    if (guilty !== undefined) this.suspensions.ended(guilty.script.id, reason)
    for (const each of there) {
      if (suspects.includes(each)) each.attempts += 1
      if (each === guilty || each.attempts >= mostAttempts) this.drop(each, `its thread ended: ${reason}`)
      else this.repeat(each)
    }
  }

  private repeat(open: Open): void {
    if (open.timer !== null) clearTimeout(open.timer)
    if (open.settled) {
      this.forget(open)
      return
    }
    this.counts.repeated += 1
    this.board.reset(open.place)
    this.begin(open)
  }

  /** Looks again at a call whose time may be over. */
  private watch(open: Open): void {
    const left = this.leftMs(open)
    // A thread that takes it up at this moment wins.
    if (left > 0 || (this.board.progress(open.place) === 'waiting' && !this.board.withdraw(open.place))) {
      open.timer = setTimeout(() => this.watch(open), Math.max(1, left))
      return
    }
    const late = this.late(open)
    if (!open.settled) this.fail(open, late)
    // One that has yielded may be about to answer, or to be given up by its own thread.
    if (open.grace || this.board.progress(open.place) !== 'yielded') this.end(open)
    else {
      open.grace = true
      open.timer = setTimeout(() => this.watch(open), graceMs)
    }
  }

  /** Until its time is over: for a thread, for its module or for its filter. */
  private leftMs({ place, script, begunMs }: Open): number {
    switch (this.board.progress(place)) {
      case 'waiting':
        return Math.min(script.timeBudgetMs, begunMs + patienceMs - performance.now())
      case 'loading':
        return loadMs - this.board.elapsedMs(place)
      default:
        return script.timeBudgetMs - this.board.elapsedMs(place)
    }
  }

  /** What to say of a call whose time is over. */
  private late({ place, script }: Open): string {
    const progress = this.board.progress(place)
    if (progress === 'withdrawn') return `no thread of the pool was free for ${patienceMs} ms`
    if (progress === 'loading') return `its module was not loaded within ${loadMs / 1000} s`
    this.counts.late += 1
    return `it took longer than its timeBudget of ${script.timeBudgetMs} ms`
  }

  /** Ends the thread that has not given the loop back; the pool replaces it. */
  private end({ place }: Open): void {
    const thread = this.board.threadOf(place)
    void this.pool.threads.find(({ threadId }) => threadId === thread)?.terminate()
  }

  private drop(open: Open, failure: string): void {
    this.fail(open, failure)
    this.forget(open)
  }

  private fail(open: Open, failure: string): void {
    this.settle(open, { said: undefined, kept: open.call?.kept, failure })
  }

  private settle(open: Open, outcome: Outcome): void {
    if (open.settled) return
    open.settled = true
    open.settle(outcome)
  }

  private forget(open: Open): void {
    if (open.timer !== null) clearTimeout(open.timer)
    if (this.open.delete(open)) this.board.give(open.place)
  }
}

function later(settle: (outcome: Outcome) => void, failure: string): void {
  queueMicrotask(() => settle({ said: undefined, kept: null, failure }))
}
