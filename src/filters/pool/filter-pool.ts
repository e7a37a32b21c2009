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
import type { PoolCount } from '../thread-sheet.js'
import { Board } from './board.js'
import { type PhaseCall, type PoolScript, type TaskAnswer, type ThreadData, writeTask } from './call.js'
import { Suspensions } from './suspension.js'

/** A call that waits this long for a thread to begin it has failed. */
const patienceMs = 10_000
/** How long a filter over its budget may hold its thread after it had yielded. */
const graceMs = 50
/** A module must be loaded by then. */
const loadMs = 20_000
/** Calls of one thread at a time: those that wait for something outside, such as another service. */
const callsPerThread = 16
/** How often a call is begun again that was on a thread which ended. */
const mostAttempts = 3

export interface FilterPoolOptions {
  threads: number
  /** Open calls, waiting and running. */
  maxQueue: number
  /** Of the heap of each thread. */
  maxHeapMb: number
  log: (line: FilterLine) => void
  /** Something that is counted has happened. */
  count: (name: PoolCount) => void
  /** Of the threads; another one in tests. */
  entry?: string
}

/** `failure` is null when the filter answered. */
export interface Outcome {
  said: Said
  kept: unknown
  failure: string | null
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
  enteredMs: number
  timer: NodeJS.Timeout | null
}

export class FilterPool {
  private readonly count: (name: PoolCount) => void
  private readonly pool: Piscina
  private readonly board: Board
  private readonly open = new Set<Open>()
  /** Scripts that have lately ended a thread get one among them at a time, so that the others keep theirs. */
  private suspect: Open | null = null
  private readonly suspects: Open[] = []
  private readonly suspensions = new Suspensions(() => performance.now())
  private closed: Promise<void> | null = null
  /** Ends it when nothing is open. */
  private idle: (() => void) | null = null

  constructor({ threads, maxQueue, maxHeapMb, log, count, entry }: FilterPoolOptions) {
    this.count = count
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
      const settle = ({ failure }: Outcome) => (failure === null ? resolve() : reject(new Error(failure)))
      const refusal = this.enter(script, null, settle)
      if (refusal !== null) reject(new Error(refusal))
    })
  }

  /** Null, and then `settle` is called once, later; or why the call is refused. */
  run(script: PoolScript, call: PhaseCall, settle: (outcome: Outcome) => void): string | null {
    this.count('calls')
    return this.suspensions.why(script.id) ?? this.enter(script, call, settle)
  }

  private enter(script: PoolScript, call: PhaseCall | null, settle: (outcome: Outcome) => void): string | null {
    if (this.closed !== null) return 'the pool is closed'
    const place = this.board.take()
    if (place === null) {
      this.count('refused')
      return 'too many calls wait for the pool'
    }
    const fresh = { settled: false, grace: false, attempts: 0, runs: 0, timer: null }
    const open: Open = { script, call, place, settle, enteredMs: performance.now(), ...fresh }
    this.open.add(open)
    this.begin(open)
    return null
  }

  close(): Promise<void> {
    this.closed ??= this.destroy()
    return this.closed
  }

  /** Closes it when the last open call has ended. */
  async retire(): Promise<void> {
    if (this.open.size > 0) {
      await new Promise<void>((resolve) => {
        this.idle = resolve
      })
    }
    await this.close()
  }

  private async destroy(): Promise<void> {
    for (const open of this.open) this.fail(open, 'the pool is closed')
    await this.pool.destroy()
  }

  private begin(open: Open): void {
    const { script } = open
    open.timer = setTimeout(() => this.watch(open), script.timeBudgetMs)
    if (open !== this.suspect && this.suspensions.suspects(script.id)) {
      if (this.suspect !== null) {
        this.suspects.push(open)
        return
      }
      this.suspect = open
    }
    this.dispatch(open)
  }

  /** `load`: the thread is told the script, too, as it does not know it. */
  private dispatch(open: Open, load = false): void {
    const { script, place, call } = open
    open.runs += 1
    const run = open.runs
    this.pool.run(writeTask(place, script, call, load)).then(
      (answer: TaskAnswer) => {
        if (run === open.runs) this.answered(open, answer)
      },
      (error: Error) => {
        if (run === open.runs && this.open.has(open)) this.lost(open, error)
      },
    )
  }

  /** The suspect has had its turn. */
  private nextSuspect(): void {
    this.suspect = null
    let next = this.suspects.shift()
    while (next?.settled) {
      this.forget(next)
      next = this.suspects.shift()
    }
    if (next === undefined) return
    this.suspect = next
    this.dispatch(next)
  }

  private answered(open: Open, answer: TaskAnswer): void {
    if (answer === 'unknown') {
      this.dispatch(open, true)
      return
    }
    // Its thread may look at the clock before this one does.
    if (answer === null) this.fail(open, this.late(open))
    else this.settle(open, { said: answer[0], kept: answer[1], failure: null })
    this.forget(open)
  }

  /** A call's thread has ended, or could not do what it was asked to. */
  private lost(open: Open, error: Error): void {
    const thread = this.board.threadOf(open.place)
    if (this.closed !== null) this.drop(open, 'the pool is closed')
    else if (thread === 0) this.repeat(open)
    else if (this.pool.threads.some(({ threadId }) => threadId === thread)) this.drop(open, error.message)
    else this.threadEnded(thread, error.message)
  }

  /** Finds who is to blame; the others are begun again. */
  private threadEnded(thread: number, reason: string): void {
    this.count('threadsEnded')
    const there = [...this.open].filter(({ place }) => this.board.threadOf(place) === thread)
    const suspects = this.suspectsOf(there)
    const guilty = suspects.find(({ settled }) => settled) ?? (suspects.length === 1 ? suspects[0] : undefined)
    if (guilty !== undefined) this.suspensions.ended(guilty.script.id, reason)
    for (const each of there) {
      if (suspects.includes(each)) each.attempts += 1
      if (each === guilty || each.attempts >= mostAttempts) this.drop(each, `its thread ended: ${reason}`)
      else this.repeat(each)
    }
  }

  /** Those that ran; if none did, those that waited for something; if none did, those that loaded their module. */
  private suspectsOf(there: Open[]): Open[] {
    for (const progress of ['running', 'yielded', 'loading'] as const) {
      const suspects = there.filter(({ place }) => this.board.progress(place) === progress)
      if (suspects.length > 0) return suspects
    }
    return there
  }

  private repeat(open: Open): void {
    if (open.timer !== null) clearTimeout(open.timer)
    if (open.settled) {
      this.forget(open)
      return
    }
    this.count('repeated')
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
    this.fail(open, this.late(open))
    // One that has yielded may be about to answer, or to be given up by its own thread.
    if (open.grace || this.board.progress(open.place) !== 'yielded') this.end(open)
    else {
      open.grace = true
      open.timer = setTimeout(() => this.watch(open), graceMs)
    }
  }

  /** Until its time is over: for a thread, for its module or for its filter. */
  private leftMs({ place, script, enteredMs }: Open): number {
    switch (this.board.progress(place)) {
      case 'waiting':
        return Math.min(script.timeBudgetMs, enteredMs + patienceMs - performance.now())
      case 'loading':
        // Its filter may be called at any moment from now on.
        return Math.min(script.timeBudgetMs, loadMs - this.board.elapsedMs(place))
      case 'done':
        return graceMs
      case 'yielded':
        // It cannot go on while another one holds its thread, which ends with the budget of that one.
        if (this.isHeld(place)) return graceMs
        return script.timeBudgetMs - this.board.elapsedMs(place)
      default:
        return script.timeBudgetMs - this.board.elapsedMs(place)
    }
  }

  private isHeld(place: number): boolean {
    const thread = this.board.threadOf(place)
    const holds = (other: Open) =>
      this.board.progress(other.place) === 'running' && this.board.threadOf(other.place) === thread
    return [...this.open].some(holds)
  }

  /** What to say of a call whose time is over. */
  private late({ place, script, settled }: Open): string {
    const progress = this.board.progress(place)
    if (progress === 'withdrawn') return `no thread of the pool was free for ${patienceMs} ms`
    if (progress === 'loading') return `its module was not loaded within ${loadMs / 1000} s`
    if (!settled) this.count('late')
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
    if (!this.open.delete(open)) return
    this.board.give(open.place)
    if (this.suspect === open) this.nextSuspect()
    if (this.open.size === 0) this.idle?.()
  }
}
