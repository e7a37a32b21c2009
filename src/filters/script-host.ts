/**
 * The filters of one thread that run in place: the engine calls {@link ScriptHost.call} for each phase of each.
 *
 * Invariants: a filter is loaded before a snapshot that names it is in force; `call` never throws; what is kept for an
 * exchange stands under its slot and is replaced when the slot's next exchange begins.
 */
import type { Addon } from '../native/index.js'
import { latin1AsUtf8 } from './latin1.js'
import { importFilter, readyFilter } from './load-filter.js'
import { type Kept, type LoadedFilter, phases, runPhase, type Said } from './run-phase.js'
import type { ScriptSource } from './script-source.js'

/** A line for the proxy's log. */
export interface FilterLine {
  filter: string
  level: 'info' | 'warn' | 'error'
  message: string
}

/** One line of failures for each filter in this time. */
const quietMs = 10_000

interface Script {
  name: string
  filter: LoadedFilter
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
  private readonly write: (line: FilterLine) => void

  constructor(write: (line: FilterLine) => void) {
    this.write = write
  }

  /** Rejects with the first one that cannot be loaded. */
  async load(sources: readonly ScriptSource[]): Promise<void> {
    for (const source of sources) {
      if (this.scripts[source.id] === undefined) this.scripts[source.id] = await this.ready(source)
    }
  }

  readonly call = (
    id: number,
    slot: number,
    phase: number,
    text: string | null,
    bytes: Uint8Array | null = null,
    last = true,
  ): Said => {
    const script = this.scripts[id]
    if (script === undefined) return '?it is not loaded in this thread'
    if (phase === phases.failed) {
      this.tellFailure(script, latin1AsUtf8(text ?? ''))
      return undefined
    }
    const body = bytes === null ? undefined : { bytes, last }
    const said = runPhase(script.filter, phase, text, keptOf(script, slot, phase), body)
    if (!(said instanceof Promise)) return said
    return '?it returned a promise; a filter that waits runs in a pool: `runIn: pool`'
  }

  private async ready({ name, url, options, definition }: ScriptSource): Promise<Script> {
    const log = {
      info: (message: string) => this.write({ filter: name, level: 'info', message }),
      warn: (message: string) => this.write({ filter: name, level: 'warn', message }),
      error: (message: string) => this.write({ filter: name, level: 'error', message }),
    }
    const filter = await readyFilter(definition ?? (await importFilter(url ?? '')), options, log)
    const kept = filter.keeps ? [] : null
    return { name, filter, kept, untold: 0, toldMs: Number.NEGATIVE_INFINITY }
  }

  private tellFailure(script: Script, message: string): void {
    script.untold += 1
    const now = performance.now()
    if (now - script.toldMs < quietMs) return
    const others = script.untold > 1 ? ` (and ${script.untold - 1} times since the last line)` : ''
    this.write({ filter: script.name, level: 'error', message: `it failed: ${message}${others}` })
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

/** Loads filters in this thread. The first call of a thread decides where its filters' lines go. */
export async function loadScripts(
  addon: Pick<Addon, 'scriptHost'>,
  sources: readonly ScriptSource[],
  write: (line: FilterLine) => void,
): Promise<void> {
  if (host === null) {
    host = new ScriptHost(write)
    addon.scriptHost(host.call)
  }
  await host.load(sources)
}
