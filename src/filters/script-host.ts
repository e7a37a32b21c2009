/**
 * The filters of one thread: the engine calls {@link ScriptHost.call} for each phase of each; those of a pool run elsewhere.
 *
 * Invariants: a filter is loaded before a snapshot that names it is in force; `call` never throws; what is kept for an
 * exchange stands under its slot and is replaced when the slot's next exchange begins.
 */
import type { Addon } from '../native/index.js'
import { latin1AsUtf8 } from './latin1.js'
import { importFilter, readyFilter } from './load-filter.js'
import type { EngineCall, PoolFilter, PoolScripts } from './pool/pool-scripts.js'
import { type Kept, type LoadedFilter, phases, runPhase, type Said } from './run-phase.js'
import type { ScriptSource } from './script-source.js'
import { ThreadSheet } from './thread-sheet.js'

/** A line for the proxy's log. */
export interface FilterLine {
  filter: string
  level: 'info' | 'warn' | 'error'
  message: string
}

/** One line of failures for each filter in this time. */
const quietMs = 10_000

/** Where a proxy's filters' lines go; also what tells the proxies of one thread apart. */
export type WriteLine = (line: FilterLine) => void

interface Script {
  name: string
  write: WriteLine
  /** What runs it here; null for one that runs in a pool. */
  filter: LoadedFilter | null
  /** What runs it elsewhere. */
  pool: PoolFilter | null
  /** By slot; null for a filter that keeps nothing. */
  kept: Kept[] | null
  /** Failures that were not told yet, and since when. */
  untold: number
  toldMs: number
}

/** For calls that keep nothing. */
const nothingKept: Kept = { state: undefined, request: null }

export class ScriptHost {
  private readonly scripts: (Script | undefined)[] = []
  private readonly addon: Pick<Addon, 'scriptResume'>
  private readonly pools = new Map<WriteLine, PoolScripts>()
  /** Its first word is the filter that this loop is in, for whoever has to end a loop that stands still. */
  private readonly running: Int32Array

  constructor(addon: Pick<Addon, 'scriptResume'>, running: Int32Array = new Int32Array(1)) {
    this.addon = addon
    this.running = running
  }

  /** Rejects with the first one that cannot be loaded. */
  async load(sources: readonly ScriptSource[], write: WriteLine, sheet = new ThreadSheet()): Promise<void> {
    for (const source of sources) {
      if (this.scripts[source.id] === undefined) this.scripts[source.id] = await this.ready(source, write, sheet)
    }
  }

  /** Of what was loaded with `write`, these are in force: pools that none of them runs in end when they are idle. */
  keep(ids: readonly number[], write: WriteLine): void {
    this.pools.get(write)?.keep(new Set(ids))
  }

  /** Ends what was loaded with `write`. */
  async release(write: WriteLine): Promise<void> {
    this.scripts.forEach((script, id) => {
      if (script?.write === write) this.scripts[id] = undefined
    })
    const pool = this.pools.get(write)
    this.pools.delete(write)
    await pool?.close()
  }

  readonly call = (
    id: number,
    slot: number,
    phase: number,
    text: string | null,
    bytes: Uint8Array | null = null,
    last = true,
  ): Said | number => {
    const script = this.scripts[id]
    if (script === undefined) return '?it is not loaded in this thread'
    if (phase === phases.failed) {
      this.tellFailure(script, latin1AsUtf8(text ?? ''))
      return undefined
    }
    if (script.filter === null) return this.callPool(script, { slot, phase, text, bytes, last })
    const body = bytes === null ? undefined : { bytes, last }
    this.running[0] = id
    const said = runPhase(script.filter, phase, text, keptOf(script, slot, phase), body)
    this.running[0] = 0
    if (!(said instanceof Promise)) return said
    return '?it returned a promise; a filter that waits runs in a pool: `runIn: pool`'
  }

  private callPool(script: Script, call: EngineCall): Said | number {
    if (script.pool === null) return '?it is not loaded in this thread'
    const kept = keptOf(script, call.slot, call.phase)
    return script.pool.call(call, kept, (left) => {
      if (script.kept !== null) script.kept[call.slot] = left
    })
  }

  private async ready(source: ScriptSource, write: WriteLine, sheet: ThreadSheet): Promise<Script> {
    const { name, url, options, definition, pool } = source
    const told = { name, write, untold: 0, toldMs: Number.NEGATIVE_INFINITY }
    if (pool !== null) {
      const { PoolScripts } = await import('./pool/pool-scripts.js')
      const pools = this.pools.get(write) ?? new PoolScripts(this.addon, write, sheet)
      this.pools.set(write, pools)
      return { filter: null, pool: await pools.load(source, pool), kept: [], ...told }
    }
    const log = {
      info: (message: string) => write({ filter: name, level: 'info', message }),
      warn: (message: string) => write({ filter: name, level: 'warn', message }),
      error: (message: string) => write({ filter: name, level: 'error', message }),
    }
    const filter = await readyFilter(definition ?? (await importFilter(url ?? '')), options, log)
    const kept = filter.keeps ? [] : null
    return { filter, pool: null, kept, ...told }
  }

  private tellFailure(script: Script, message: string): void {
    script.untold += 1
    const now = performance.now()
    if (now - script.toldMs < quietMs) return
    const others = script.untold > 1 ? ` (and ${script.untold - 1} times since the last line)` : ''
    script.write({ filter: script.name, level: 'error', message: `it failed: ${message}${others}` })
    script.untold = 0
    script.toldMs = now
  }
}

function keptOf({ kept }: Script, slot: number, phase: number): Kept {
  if (kept === null) return nothingKept
  const known = kept[slot]
  if (known !== undefined && phase !== phases.requestHead) return known
  const fresh: Kept = { state: undefined, request: null }
  kept[slot] = fresh
  return fresh
}

let host: ScriptHost | null = null

/** Loads filters in this thread; their lines go to `write`, their counts to the sheet. */
export async function loadScripts(
  addon: Pick<Addon, 'scriptHost' | 'scriptResume'>,
  sources: readonly ScriptSource[],
  write: WriteLine,
  sheet: ThreadSheet,
): Promise<void> {
  if (host === null) {
    host = new ScriptHost(addon, sheet.running)
    addon.scriptHost(host.call)
  }
  await host.load(sources, write, sheet)
}

/** Of what was loaded with `write`, these are in force. */
export function keepScripts(ids: readonly number[], write: WriteLine): void {
  host?.keep(ids, write)
}

/** A proxy of this thread has ended: so do its pools, which would keep the process. */
export async function releaseScripts(write: WriteLine): Promise<void> {
  await host?.release(write)
}
