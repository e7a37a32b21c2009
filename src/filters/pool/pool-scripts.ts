/**
 * The filters of one thread that run in its pool, as the engine knows them: a call becomes a ticket, and its outcome is
 * brought to the engine later.
 *
 * Invariants: threads start with the first filter that asks for them; each ticket is resumed once.
 */
import type { Addon } from '../../native/index.js'
import { utf8AsLatin1 } from '../latin1.js'
import type { Kept } from '../run-phase.js'
import type { FilterLine } from '../script-host.js'
import type { ScriptSource } from '../script-source.js'
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
  private readonly addon: Pick<Addon, 'scriptResume'>
  private readonly write: (line: FilterLine) => void
  private lastTicket = 0

  constructor(addon: Pick<Addon, 'scriptResume'>, write: (line: FilterLine) => void) {
    this.addon = addon
    this.write = write
  }

  /** Rejects with what the module threw. */
  async load({ id, name, url, options }: ScriptSource, settings: PoolSettings): Promise<PoolFilter> {
    const { timeBudgetMs, ...common } = settings
    const key = JSON.stringify(common)
    const pool = this.pools.get(key) ?? new FilterPool({ ...common, log: this.write })
    this.pools.set(key, pool)
    const script = { id, name, url: url ?? '', options, timeBudgetMs }
    await pool.load(script)
    return { call: (call, kept, keep) => this.call(pool, script, call, kept, keep) }
  }

  async close(): Promise<void> {
    await Promise.all([...this.pools.values()].map((pool) => pool.close()))
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
