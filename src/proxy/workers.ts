/**
 * The traffic threads of one proxy: starts them, watches their heartbeats, replaces those that end.
 *
 * Invariants: a dead worker is detached before its replacement attaches; the first replacement is immediate and later
 * ones back off while they keep dying, so that a worker which dies at start does not spin; listening descriptors belong
 * to the process, so a replacement takes over the accept queue of the one before.
 */

import type { DoorPlan } from '../door/thread-doors.js'
import { WeftError } from '../errors.js'
import type { ScriptSource } from '../filters/script-source.js'
import { type PoolCount, ThreadSheet } from '../filters/thread-sheet.js'
import type { Addon } from '../native/index.js'
import type { Logger } from '../telemetry/logger.js'
import { writeLine } from './filter-lines.js'
import type { StartThread, TrafficThread } from './traffic-thread.js'
import type { Order } from './worker.js'

/** Four beats in a row without progress, one second, are a stall. Beats are counted, not read off a clock, so that a process which was suspended as a whole is not mistaken for one. */
export const beatMs = 250
const missedBeatsOfStall = 4
/** A worker whose tasks panic more often than this in a minute is not to be trusted any longer. */
export const panicsPerMinute = 10
const backoffMs = { first: 100, most: 5_000 }
/** A worker that lived this long has recovered: its next replacement is immediate again. */
const provenAfterMs = 10_000

export interface WorkersOptions {
  addon: Pick<Addon, 'heartbeats' | 'panics' | 'detach'>
  proxy: number
  count: number
  startThread: StartThread
  /** The doors that each thread opens when it begins. */
  doors?: readonly DoorPlan[]
  /** A thread that was started ahead, for the first worker. */
  ahead: TrafficThread | null
  /** Filters that each thread loads before it serves. */
  scripts?: ScriptSource[]
  logger: Logger
}

export interface Workers {
  /** How many carry traffic now. */
  serving(): number
  /** How many were replaced since the start. */
  replaced(): number
  /**
   * Has every thread load further filters, also those that come in place of one meanwhile. Rejects when one cannot load
   * them; then nothing has changed.
   */
  load(scripts: ScriptSource[]): Promise<void>
  /** Threads load these from now on: a configuration came into force. */
  keep(scripts: ScriptSource[]): void
  /** What the pools of all threads have counted. */
  counted(name: PoolCount): number
  /** Every thread has these doors from now on, those to come too; rejects when one cannot open them. */
  serveDoors(doors: readonly DoorPlan[]): Promise<void>
  /** Doors accept no more; resolves when the last connection behind them has ended. */
  leaveDoors(staying: readonly DoorPlan[]): Promise<void>
  close(): Promise<void>
}

interface Slot {
  worker: number
  thread: TrafficThread | null
  /** Of its thread, and of all that it had before. */
  sheet: ThreadSheet
  state: 'starting' | 'serving' | 'stalled' | 'panicking' | 'waiting'
  beat: number
  missed: number
  /** Panics of its thread at the begin of the present minute, which is `panicBeats` old. */
  panics: number
  panicBeats: number
  failures: number
  servingSince: number
  retry: NodeJS.Timeout | null
}

/** Resolves when every worker serves; throws `WEFT_WORKER_FAILED` when one does not come up. */
export async function startWorkers(options: WorkersOptions): Promise<Workers> {
  const pool = new WorkerPool(options)
  await pool.start()
  return pool
}

class WorkerPool implements Workers {
  private readonly slots: Slot[]
  private readonly options: WorkersOptions
  private watch: NodeJS.Timeout | null = null
  private closing = false
  private ahead: TrafficThread | null
  private replacements = 0
  private scripts: ScriptSource[]
  private loading: ScriptSource[] = []
  private doors: readonly DoorPlan[]

  constructor(options: WorkersOptions) {
    this.options = options
    this.ahead = options.ahead
    this.scripts = options.scripts ?? []
    this.doors = options.doors ?? []
    this.slots = Array.from({ length: options.count }, (_, worker) => ({
      worker,
      thread: null,
      sheet: new ThreadSheet(),
      state: 'waiting',
      beat: -1,
      missed: 0,
      panics: 0,
      panicBeats: 0,
      failures: 0,
      servingSince: 0,
      retry: null,
    }))
  }

  async start(): Promise<void> {
    try {
      await Promise.all(this.slots.map((slot) => this.launch(slot)))
    } catch (cause) {
      await this.close()
      throw new WeftError('WEFT_WORKER_FAILED', `a worker ended before it was ready: ${(cause as Error).message}`, {
        cause,
      })
    }
    for (const slot of this.slots) this.superviseEnd(slot)
    this.watch = setInterval(() => this.beat(), beatMs)
  }

  serving(): number {
    return this.slots.filter(({ state }) => state === 'serving').length
  }

  replaced(): number {
    return this.replacements
  }

  async load(scripts: ScriptSource[]): Promise<void> {
    if (scripts.length === 0) return
    this.loading = scripts
    try {
      await Promise.all(this.slots.map((slot) => slot.thread?.load(scripts)))
    } catch (error) {
      this.loading = []
      throw error
    }
  }

  keep(scripts: ScriptSource[]): void {
    const before = this.scripts
    this.scripts = scripts
    this.loading = []
    if (before.length === 0) return
    const keep = scripts.map(({ id }) => id)
    // One that ends meanwhile is replaced by one that never had the others.
    void this.askServing({ keep }).catch(() => {})
  }

  counted(name: PoolCount): number {
    return this.slots.reduce((sum, { sheet }) => sum + sheet.read(name), 0)
  }

  async serveDoors(doors: readonly DoorPlan[]): Promise<void> {
    const before = this.doors
    this.doors = doors
    if (doors.length + before.length > 0) await this.askServing({ doors })
  }

  async leaveDoors(staying: readonly DoorPlan[]): Promise<void> {
    const before = this.doors
    this.doors = staying
    if (before.length > 0) await this.askServing({ staying })
  }

  async close(): Promise<void> {
    this.closing = true
    if (this.watch !== null) clearInterval(this.watch)
    await Promise.all(
      this.slots.map(async (slot) => {
        if (slot.retry !== null) clearTimeout(slot.retry)
        const { thread } = slot
        if (thread === null) return
        thread.terminate()
        await thread.ended
        this.release(slot)
      }),
    )
  }

  private async launch(slot: Slot): Promise<void> {
    slot.state = 'starting'
    const thread = this.ahead ?? this.options.startThread()
    this.ahead = null
    slot.thread = thread
    thread.onLine((line) => writeLine(this.options.logger, line, { worker: slot.worker }))
    const scripts = [...this.scripts, ...this.loading]
    Atomics.store(slot.sheet.running, 0, 0)
    const sheet = slot.sheet.memory
    await thread.attach({ proxy: this.options.proxy, worker: slot.worker, scripts, sheet })
    if (this.doors.length > 0) await thread.ask({ doors: this.doors })
    slot.state = 'serving'
    slot.servingSince = Date.now()
    slot.beat = -1
    slot.missed = 0
    slot.panics = 0
    slot.panicBeats = 0
  }

  /** A thread that ends meanwhile is replaced by one that begins with what was asked. */
  private async askServing(order: Order): Promise<void> {
    const serving = this.slots.filter(({ state, thread }) => state === 'serving' && thread !== null)
    await Promise.all(
      serving.map(async ({ thread }) => {
        let ended = false
        void thread?.ended.then(() => {
          ended = true
        })
        await thread?.ask(order).catch((error: unknown) => {
          if (!ended) throw error
        })
      }),
    )
  }

  private superviseEnd(slot: Slot): void {
    void slot.thread?.ended.then((reason) => {
      if (this.closing) return
      const ordered = this.whyOrdered(slot)
      if (slot.servingSince > 0 && Date.now() - slot.servingSince > provenAfterMs) slot.failures = 0
      this.release(slot)
      const delayMs = replacementDelayMs(slot.failures)
      slot.failures += 1
      this.replacements += 1
      this.options.logger.error('a worker ended and is replaced; its connections are lost', {
        worker: slot.worker,
        reason: ordered ?? reason,
        delayMs,
      })
      if (delayMs === 0) this.replace(slot)
      else slot.retry = setTimeout(() => this.replace(slot), delayMs)
    })
  }

  /** Why a worker was ended from here; null when it ended by itself. */
  private whyOrdered({ state, sheet }: Slot): string | null {
    if (state === 'panicking') return 'too many of its tasks panicked'
    if (state !== 'stalled') return null
    const script = Atomics.load(sheet.running, 0)
    if (script === 0) return 'its loop stood still for a second'
    const source = [...this.scripts, ...this.loading].find(({ id }) => id === script)
    return `the filter ${source?.name ?? `with the number ${script}`} held its loop for a second`
  }

  private replace(slot: Slot): void {
    slot.retry = null
    this.launch(slot).catch(() => {}) // an end before readiness is an end: superviseEnd tells of it
    this.superviseEnd(slot)
  }

  /** After the thread has ended: gives back what the engine held for it. */
  private release(slot: Slot): void {
    slot.thread = null
    slot.state = 'waiting'
    this.options.addon.detach(this.options.proxy, slot.worker)
  }

  private beat(): void {
    const beats = this.options.addon.heartbeats(this.options.proxy)
    const panics = this.options.addon.panics(this.options.proxy)
    for (const slot of this.slots) {
      if (slot.state !== 'serving') continue
      const beat = beats[slot.worker] ?? 0
      slot.missed = beat === slot.beat ? slot.missed + 1 : 0
      slot.beat = beat
      const panicking = this.countPanics(slot, panics[slot.worker] ?? 0)
      if (slot.missed < missedBeatsOfStall && !panicking) continue
      slot.state = panicking ? 'panicking' : 'stalled'
      slot.thread?.terminate()
    }
  }

  /** Whether a worker has panicked too often within a minute. */
  private countPanics(slot: Slot, panics: number): boolean {
    slot.panicBeats += 1
    if (slot.panicBeats * beatMs > 60_000) {
      slot.panicBeats = 0
      slot.panics = panics
    }
    return panics - slot.panics > panicsPerMinute
  }
}

/** Nothing for the first failure, then 100 ms doubling up to 5 s. */
export function replacementDelayMs(failures: number): number {
  return failures === 0 ? 0 : Math.min(backoffMs.most, backoffMs.first * 2 ** (failures - 1))
}
