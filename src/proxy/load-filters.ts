/**
 * Loads the filters in TypeScript of a configuration, to find out before it is in force whether they can run, which
 * phases they have, and by which numbers the engine is to know them.
 *
 * Invariant: every finding stands at its path; nothing that was loaded here carries traffic, except on the thread itself.
 */

import type { Finding } from '../config/checks/findings.js'
import type { ResolvedConfig } from '../config/config.js'
import type { Watched } from '../config/files/signature.js'
import { serialOf } from '../config/serial.js'
import { type FilterDefinition, usualMaxBodyBytes } from '../filters/definition.js'
import { importFilter, OptionsRefused, readyFilter } from '../filters/load-filter.js'
import type { PoolSettings } from '../filters/pool/pool-scripts.js'
import { phasesOf } from '../filters/run-phase.js'
import type { ScriptNumbers, ScriptSource } from '../filters/script-source.js'
import type { Script } from '../native/snapshot.js'
import type { ResolvedFilter, Scripts } from './compile/filter.js'
import { markedUrl } from './module-url.js'

type ScriptFilter = Extract<ResolvedFilter, { module: unknown } | { definition: unknown }>
type ModuleFilter = Extract<ScriptFilter, { module: unknown }>

export interface LoadedFilters {
  scripts: Scripts
  sources: ScriptSource[]
  findings: Finding[]
}

interface ScriptPlace {
  path: (string | number)[]
  /** The same in words that do not change when something is put before it. */
  owner: string
  filter: ScriptFilter
}

/** Every filter in TypeScript with its place. */
export function scriptPlaces(config: ResolvedConfig): ScriptPlace[] {
  const nouns = ['listeners', 'routes', 'clusters'] as const
  return nouns.flatMap((noun) =>
    config[noun].flatMap(({ name, filters }, index) =>
      filters.flatMap((filter, place) => {
        if (!('module' in filter || 'definition' in filter)) return []
        return [{ path: [noun, index, 'filters', place], owner: `${noun} ${name} ${place}`, filter }]
      }),
    ),
  )
}

/** Paths of modules are relative to `folder`. */
export async function loadFilters(
  config: ResolvedConfig,
  folder: string,
  numbers: ScriptNumbers,
  reading: (watched: Watched) => void = () => {},
): Promise<LoadedFilters> {
  const scripts = new Map<ResolvedFilter, Script>()
  const sources: ScriptSource[] = []
  const findings: Finding[] = []
  for (const place of scriptPlaces(config)) {
    try {
      const { source, definition } = await load(place, config, folder, numbers, reading)
      await readyFilter(definition, source.options, silent)
      sources.push(source)
      scripts.set(place.filter, compiled(source, definition, place.filter))
    } catch (error) {
      findings.push(...findingsOf(place, error as Error))
    }
  }
  return { scripts, sources, findings }
}

/** What a filter logs while it is only tried. */
const silent = { info() {}, warn() {}, error() {} }

async function load(
  { path, owner, filter }: ScriptPlace,
  { filterPool }: ResolvedConfig,
  folder: string,
  numbers: ScriptNumbers,
  reading: Reading,
) {
  if ('definition' in filter) {
    // The schema has checked that there is one; only `defineFilter` makes them.
    const definition = filter.definition as FilterDefinition
    const key = `${owner} inline ${serialOf(filter.definition)}`
    const nothing = { url: null, options: undefined, pool: null }
    const source = { id: numbers.of(key), key, name: definition.name, path, ...nothing, definition }
    return { source: source satisfies ScriptSource, definition }
  }
  const url = await markedUrl(filter.module, folder, reading)
  const definition = await importFilter(url)
  const { options } = filter
  const pool = poolSettings(filter, filterPool)
  const key = JSON.stringify([owner, url, options, pool])
  const source = { id: numbers.of(key), key, name: definition.name, path, url, options, pool, definition: null }
  return { source: source satisfies ScriptSource, definition }
}

type Reading = (watched: Watched) => void

/** Without a budget of its own a filter must still end. */
const usualBudgetMs = 1_000
/** The pool settles each call by itself; should it ever not, the engine goes on after so much more. */
const backstopMs = 15_000

function poolSettings({ runIn, timeBudget }: ModuleFilter, pool: ResolvedConfig['filterPool']): PoolSettings | null {
  if (runIn === 'place') return null
  const { threads, maxQueue, maxHeap } = pool
  return { threads, maxQueue, maxHeapMb: Math.ceil(maxHeap / 2 ** 20), timeBudgetMs: timeBudget ?? usualBudgetMs }
}

function compiled({ id, pool }: ScriptSource, definition: FilterDefinition, filter: ScriptFilter): Script {
  return {
    id,
    name: definition.name,
    ...phasesOf(definition),
    maxBodyBytes:
      ('module' in filter ? filter.maxBodyBytes : undefined) ?? definition.maxBodyBytes ?? usualMaxBodyBytes,
    onFailure: 'module' in filter ? filter.onFailure : 'closed',
    timeBudgetMs: pool === null ? null : pool.timeBudgetMs + backstopMs,
    pool: pool !== null,
  } satisfies Script
}

function findingsOf({ path, filter }: ScriptPlace, error: Error): Finding[] {
  if (error instanceof OptionsRefused) {
    const code = 'WEFT_FILTER_OPTIONS'
    return error.issues.map(({ path: inside, message }) => {
      return { path: [...path, 'options', ...inside], code, message, hint: 'the filter itself says what it takes' }
    })
  }
  const at = 'module' in filter ? [...path, 'module'] : path
  const { code } = error as NodeJS.ErrnoException
  const missing = code === 'ENOENT'
  const message = missing ? 'there is no such file' : `cannot be loaded: ${error.message}`
  const hint = missing ? 'paths are relative to the configuration' : null
  return [{ path: at, code: 'WEFT_FILTER_MODULE', message, hint }]
}
