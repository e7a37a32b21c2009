/**
 * The filters of one thread that run in its pool, as the engine knows them: a call becomes a ticket, and its outcome is
 * brought to the engine later.
 *
 * Invariants: threads start with the first filter that asks for them, and end with the last one that is in force; an
 * exchange that began with a filter of an earlier configuration still finds a pool for it; each ticket is resumed once.
 */
import type { Addon } from '../../native/index.js'
import { utf8AsLatin1 } from '../latin1.js'
import type { Kept } from '../run-phase.js'
import type { FilterLine } from '../script-host.js'
import type { ScriptSource } from '../script-source.js'
import type { ThreadSheet } from '../thread-sheet.js'
import type { PoolScript } from './call.js'
import { FilterPool, type FilterPoolOptions } from './filter-pool.js'

/** What a filter asks of the pool; the pool's own settings are the same for all filters of a configuration. */
export type PoolSettings = Pick<FilterPoolOptions, 'threads' | 'maxQueue' | 'maxHeapMb'> & { timeBudgetMs: number }

/** One call, as the engine makes it. */
export interface EngineCall {
  slot: number
  phase: number
  text: string | null
  bytes: Uint8Array | null
  last: boolean
}

/** One filter in its pool. */
export interface PoolFilter {
  /** Returns the ticket, or why it has failed already. `keep` takes what the filter leaves for its later phases, if its exchange still waits. */
  call(call: EngineCall, kept: Kept, keep: (kept: Kept) => void): number | string
}

export class PoolScripts {
  private readonly pools = new Map<string, FilterPool>()
  /** In which pool each filter runs. */
  private readonly keys = new Map<number, string>()
  private readonly wanted = new Set<string>()
  private readonly sheet: ThreadSheet
  private readonly addon: Pick<Addon, 'scriptResume'>
  private readonly write: (line: FilterLine) => void
  private readonly retiring = new Set<FilterPool>()
  private lastTicket = 0

  constructor(addon: Pick<Addon, 'scriptResume'>, write: (line: FilterLine) => void, sheet: ThreadSheet) {
    this.addon = addon
    this.write = write
    this.sheet = sheet
  }

  /** Rejects with what the module threw. */
  async load({ id, name, url, options }: ScriptSource, settings: PoolSettings): Promise<PoolFilter> {
    const { timeBudgetMs, ...common } = settings
    const key = JSON.stringify(common)
    this.keys.set(id, key)
    this.wanted.add(key)
    const script = { id, name, url: url ?? '', options, timeBudgetMs }
    await this.pool(key, common).load(script)
    return {
      call: (call, kept, keep) => {
        const asked = this.call(this.pool(key, common), script, call, kept, keep)
        if (!this.wanted.has(key)) this.retire(key)
        return asked
      },
    }
  }

  /** These are in force; pools in which none of them runs end when they are idle. */
  keep(ids: ReadonlySet<number>): void {
    this.wanted.clear()
    for (const [id, key] of this.keys) if (ids.has(id)) this.wanted.add(key)
    for (const key of [...this.pools.keys()]) if (!this.wanted.has(key)) this.retire(key)
  }

  private pool(key: string, settings: Omit<PoolSettings, 'timeBudgetMs'>): FilterPool {
    const { sheet, write: log } = this
    const pool = this.pools.get(key) ?? new FilterPool({ ...settings, log, count: (name) => sheet.count(name) })
    this.pools.set(key, pool)
    return pool
  }

  private retire(key: string): void {
    const pool = this.pools.get(key)
    this.pools.delete(key)
    if (pool !== undefined) this.retiring.add(pool)
    void pool?.retire().then(() => this.retiring.delete(pool))
  }

  async close(): Promise<void> {
    await Promise.all([...this.pools.values(), ...this.retiring].map((pool) => pool.close()))
  }

  private call(pool: FilterPool, script: PoolScript, call: EngineCall, kept: Kept, keep: (kept: Kept) => void) {
    const { slot, ...rest } = call
    this.lastTicket = (this.lastTicket % 0xffff_ffff) + 1
    const ticket = this.lastTicket
    const refusal = pool.run(
      script,
      { ...rest, kept: isEmpty(kept) ? null : kept },
      ({ said, kept: left, failure }) => {
        const result = failure === null ? said : failureText(failure)
        if (this.addon.scriptResume(slot, ticket, result) && left !== null && failure === null) keep(left as Kept)
      },
    )
    return refusal === null ? ticket : failureText(refusal)
  }
}

function isEmpty({ state, request, response }: Kept): boolean {
  return state === undefined && request === null && response === undefined
}

function failureText(reason: string): string {
  return `?${utf8AsLatin1(reason)}`
}
