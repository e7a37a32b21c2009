/**
 * THE boundary file: the only importer of the addon. Everything that crosses between TypeScript and the engine is
 * listed here.
 *
 * Invariants: plain values cross, `null` for none; the addon is loaded in the main thread first and from one path only,
 * because its statics are the state that all worker threads share.
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { WeftError } from '../errors.js'
import type * as binding from './binding.js'
import type { Group } from './groups.js'
import type { Direction } from './snapshot.js'

export type { Attempt, Candidate, DecisionRecord, RecordList, RecordQuery, Why } from './decisions.js'
export type { Group, GroupLevel, Shortage } from './groups.js'

/**
 * What the addon exports, as its source declares it. `proxy` is the process-wide number that `createProxy` returned,
 * `worker` an index from 0. Some return JSON: `apply` a {@link Verdict}, `updateEndpoints` an {@link UpdateVerdict},
 * `stats` {@link Stats}, `shortages` a list of {@link Shortage}, `switches` one of {@link RouteSwitch}, `records` and
 * `why` what `decisions.ts` declares.
 */
export type Addon = typeof binding

/** The engine's answer to a snapshot. Nothing has changed when `rejected` is not empty. */
export interface Verdict {
  generation: number
  /** The same bytes were in force already. */
  unchanged?: boolean
  rejected: { path: string; code: string; message: string }[]
  /** Where each listener really listens, which tells the port that a port 0 became. */
  listeners?: Stats['listeners']
}

/** The engine's answer to a change of endpoints. Nothing has changed when `rejected` is not empty. */
export interface UpdateVerdict {
  added: number
  changed: number
  removed: number
  rejected: Verdict['rejected']
}

export interface Stats {
  name: string
  generation: number
  draining: boolean
  counters: Record<string, number>
  /** The engine's own list of its counters: name, kind and help text. */
  descriptions: { name: string; kind: 'counter' | 'gauge'; help: string }[]
  /** Upper bounds of the duration buckets; the last bucket has none. */
  durationBoundsMs: number[]
  /** Upper bounds of the buckets of bodies, in bytes; the last bucket has none. */
  sizeBounds: number[]
  /** The engine's own list of the numbers that each cluster has. */
  clusterDescriptions: Stats['descriptions']
  series: Series[]
  routes: { route: string; latency: Durations }[]
  workers: WorkerStats[]
  /** `door`: TypeScript accepts its connections. */
  listeners: { name: string; address: string; direction: Direction; door: boolean }[]
  clusters: ClusterStats[]
  /** Filters in TypeScript, by name. */
  filters: FilterStats[]
  /** Faults that routes inject. */
  faults: FaultStats[]
  mirrors: MirrorStats[]
  /** Routes whose requests go elsewhere than configured. */
  switches: RouteSwitch[]
}

/** So many percent of a route's requests go to this cluster, until the next snapshot. */
export interface RouteSwitch {
  route: string
  cluster: string
  subset?: string
  percent: number
}

export interface MirrorStats {
  route: string
  cluster: string
  percent: number
  underWay: number
  sent: number
  answered: number
  failed: number
  /** Requests that were due and not copied. */
  dropped: number
  /** What comparing the answers found; null where they are not compared. */
  diff: DiffReport | null
}

type Way = 'value' | 'type' | 'missing' | 'added' | 'length'

export interface DiffReport {
  compared: number
  /** Requests that were repeated to learn what differs by itself. */
  controls: number
  /** Answers that there was no room to compare. */
  skipped: number
  /** Too little was compared to tell noise from a difference. */
  learning: boolean
  /** The most frequent first. A field is `status`, `header NAME`, `body` or a path such as `$.items[].price`. */
  differences: {
    field: string
    way: Way
    count: number
    example: { request: string; primary: string; candidate: string } | null
  }[]
  noise: { field: string; way: Way; count: number; because: string }[]
}

/** `leftMs` is the rest of its time to live: 0 when it is over, null when it has none. */
export interface FaultStats {
  route: string
  leftMs: number | null
  delayed: number
  aborted: number
  throttled: number
}

/** `failures`: calls whose `onFailure` had to be applied. `answers`: requests that it answered itself. */
export interface FilterStats {
  name: string
  failures: number
  answers: number
}

/** Pairs of a duration in microseconds, at most 3 % off, and how often it was seen; ascending. */
export type Durations = [us: number, count: number][]

export interface WorkerStats {
  heartbeat: number
  generation: number
  connections: number
  panics: number
  records: number
  recordBytes: number
}

/** What happened to endpoints since the last question; `lost`: events before them that nobody asked for in time. */
export interface EndpointEvents {
  events: EndpointEvent[]
  lost: number
}

/** `forMs`: for how long it will be so, or was. */
export interface EndpointEvent {
  turn:
    | 'ejected'
    | 'would-eject'
    | 'not-ejected'
    | 'returned'
    | 'opened'
    | 'stayed-open'
    | 'closed'
    | 'unhealthy'
    | 'healthy'
  unixUs: number
  cluster: string
  endpoint: string
  reason: string
  forMs: number | null
}

export interface ClusterStats {
  name: string
  counters: Record<string, number>
  /** How often outlier detection put an endpoint out, by what it was for, and how often it could not. */
  ejections: { counts: Tally; withheld: number }
  /** How often breakers of endpoints opened, by what opened them. */
  trips: Tally
  /** The name that its endpoints are found by. */
  dns: DnsStats | null
  /** The whole cluster, then its subsets. */
  groups: Group[]
  /** Its adaptive bound on requests, and how many are under way. */
  concurrency: { bound: number; active: number } | null
  endpoints: EndpointStats[]
}

/** One row of request metrics. `buckets` counts durations; `durationSumUs` is in microseconds. */
export interface Series {
  listener: string
  route: string
  cluster: string
  status: number
  flag: string
  requests: number
  requestBytes: number
  responseBytes: number
  durationSumUs: number
  buckets: number[]
  requestSizes: number[]
  responseSizes: number[]
}

/** What was seen while up to `most` exchanges, and more than half of it, were under way. `meanUs`: to the first byte. */
export interface AtOnce {
  most: number
  answers: number
  failures: number
  meanUs: number
}

/** What came of asking for a cluster's name. `nextMs` is the wait after the last lookup. */
export interface DnsStats {
  name: string
  lookups: number
  failures: number
  error: string | null
  nextMs: number
}

/** Counts by a word. */
export type Tally = [word: string, count: number][]

/** A time for which an endpoint is kept from requests; µs since 1970. */
export interface Spell {
  sinceUnixUs: number
  untilUnixUs: number
  reason: string
}

export interface EndpointStats {
  address: string
  weight: number
  /** 0 comes first. */
  priority: number
  /** Empty where nothing was said. */
  zone: string
  healthy: boolean
  /** `unchecked`, `healthy`, `unhealthy`, or `pending` before the first check has ended. */
  health: string
  /** Others are asked first. */
  degraded: boolean
  /** Outlier detection has put it out. */
  ejected: Spell | null
  /** Its breaker is open; `probing`: a request tries it now. */
  breaker: (Spell & { probing: boolean }) | null
  active: number
  requests: number
  failures: number
  /** Answers with a status of 500 or above. */
  serverErrors: number
  idle: number
  /** From the begin of an attempt to the answer's first byte. */
  latency: Durations
  /** How it answered by what it had to do at once, ascending; one answer of eight is looked at. */
  concurrency: AtOnce[]
  /** Idle time after which it closes connections, as far as that was learned. */
  closesIdleAfterMs: number | null
}

let loaded: Addon | null = null

/** Loads the addon once per thread. `WEFT_ADDON` names another file, for packages that unpack it elsewhere. */
export function loadAddon(): Addon {
  loaded ??= requireAddon(process.env.WEFT_ADDON ?? findAddon())
  return loaded
}

function requireAddon(file: string): Addon {
  // The engine's allocator, mimalloc, reads its options once, when it is loaded. By default it commits its first arena at
  // once and in huge pages: 10 MiB resident at start where 0.3 are used. Taken back at once: the application that
  // `weft run --` starts inherits the environment and may use the same allocator.
  const { MIMALLOC_ARENA_EAGER_COMMIT: asked } = process.env
  process.env.MIMALLOC_ARENA_EAGER_COMMIT = asked ?? '0'
  try {
    return createRequire(import.meta.url)(file) as Addon
  } catch (cause) {
    const place = `${process.platform}-${process.arch}, Node ${process.versions.node}`
    throw new WeftError('WEFT_ADDON_MISSING', `cannot load the native engine ${file} here (${place})`, {
      hint: 'the package holds the engine for the platform that it was packed on; from a checkout: npm run build:native',
      cause,
    })
  } finally {
    if (asked === undefined) delete process.env.MIMALLOC_ARENA_EAGER_COMMIT
  }
}

/** Beside the bundle, or in the `dist` folder of a checkout when the sources run unbundled. */
function findAddon(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  for (;;) {
    for (const candidate of [join(folder, 'weft.node'), join(folder, 'dist', 'weft.node')]) {
      if (existsSync(candidate)) return candidate
    }
    const parent = dirname(folder)
    if (parent === folder || existsSync(join(folder, 'package.json'))) break
    folder = parent
  }
  throw new WeftError('WEFT_ADDON_MISSING', 'the native engine weft.node was not found', {
    hint: 'build it with: npm run build:native',
  })
}
