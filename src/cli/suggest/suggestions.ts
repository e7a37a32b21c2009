/**
 * Configured against learned values: what a running proxy has seen of each upstream, and what that says about the
 * configuration in force. Pure; nothing is changed by it.
 *
 * Invariant: no value is suggested without enough samples; what is missing is said instead.
 */
import type { AtOnce, ClusterStats, Durations } from '../../native/index.js'

/** Of the configuration in force, what is compared. Times are in ms. */
export interface InForce {
  routes: {
    name: string
    forward: { cluster: string }[] | null
    firstByteTimeout: number
  }[]
  clusters: {
    name: string
    keepAlive: { idleTimeout: number | 'learned' }
    circuitBreaker: { maxRequests: number | null } | null
  }[]
}

/** `suggested` is null where the configured value fits or too little is known; `reason` says which. */
export interface Suggestion {
  /** As in a configuration: the noun, its name, the key. */
  noun: 'routes' | 'clusters'
  name: string
  key: readonly [string, ...string[]]
  configured: string
  suggested: string | null
  reason: string
  samples: number
}

/** A p99.9 of fewer answers is one of the slowest few. */
export const enoughAnswers = 1_000
/** Looked at of a class of concurrency before it counts. */
const enoughOfClass = 50
/** Failures above which the slowest part of all attempts was never measured. */
const mostFailed = 0.001
/** An endpoint has enough to do when it takes twice as long as with little to do, or fails one of a hundred. */
const slower = 2
const mostFailedAtOnce = 0.01
/** Room above what was seen. */
const headroom = 2
const leastTimeoutMs = 100
/** Suggestions nearer than this to what is configured are none. */
const near = 1.25

export function suggestionsOf(clusters: readonly ClusterStats[], config: InForce): Suggestion[] {
  const firstBytes = new Map(clusters.map((cluster) => [cluster.name, firstByteOf(cluster)]))
  return [
    ...config.routes.flatMap(({ name, forward, firstByteTimeout }) => {
      const answering = [...new Set((forward ?? []).map(({ cluster }) => cluster))]
      const known = answering.flatMap((cluster) => firstBytes.get(cluster) ?? [])
      return known.length === 0 ? [] : [firstByteTimeoutOf(name, firstByteTimeout, known)]
    }),
    ...config.clusters.flatMap((configured) => {
      const seen = clusters.find(({ name }) => name === configured.name)
      return seen === undefined ? [] : [idleTimeoutOf(configured, seen), maxRequestsOf(configured, seen)]
    }),
  ]
}

interface FirstByte {
  cluster: string
  answers: number
  attempts: number
  failures: number
  p999Ms: number
}

function firstByteOf({ name, endpoints }: ClusterStats): FirstByte {
  const counts = new Map<number, number>()
  for (const { latency } of endpoints) for (const [us, count] of latency) counts.set(us, (counts.get(us) ?? 0) + count)
  const answers = [...counts.values()].reduce((sum, count) => sum + count, 0)
  const sum = (read: (endpoint: (typeof endpoints)[number]) => number) =>
    endpoints.reduce((total, one) => total + read(one), 0)
  const p999Ms = percentileUs([...counts], 0.999) / 1_000
  return {
    cluster: name,
    answers,
    attempts: sum(({ requests }) => requests),
    failures: sum(({ failures }) => failures),
    p999Ms,
  }
}

function percentileUs(durations: Durations, share: number): number {
  const ascending = durations.sort(([one], [other]) => one - other)
  const all = ascending.reduce((sum, [, count]) => sum + count, 0)
  let below = 0
  for (const [us, count] of ascending) {
    below += count
    if (below >= share * all) return us
  }
  return 0
}

function firstByteTimeoutOf(name: string, configuredMs: number, known: FirstByte[]): Suggestion {
  const of = { noun: 'routes', name, key: ['firstByteTimeout'], configured: timeout(configuredMs) } as const
  const samples = Math.min(...known.map(({ answers }) => answers))
  const few = known.find(({ answers }) => answers < enoughAnswers)
  if (few !== undefined) {
    const reason = `too little is known: ${few.answers} answers of cluster ${few.cluster}, ${enoughAnswers} are needed`
    return { ...of, suggested: null, samples, reason }
  }
  const failing = known.find(({ failures, attempts }) => failures > mostFailed * attempts)
  if (failing !== undefined) {
    const reason = `its p99.9 is not known: ${failing.failures} of ${failing.attempts} attempts at cluster ${failing.cluster} failed without an answer`
    return { ...of, suggested: null, samples, reason }
  }
  const slowest = known.reduce((one, other) => (other.p999Ms > one.p999Ms ? other : one))
  const wantedMs = roundedUp(Math.max(leastTimeoutMs, slowest.p999Ms * headroom))
  const seen = `p99.9 of the first byte is ${shown(slowest.p999Ms)} over ${slowest.answers} answers of cluster ${slowest.cluster}`
  if (configuredMs > 0 && isNear(wantedMs, configuredMs))
    return { ...of, suggested: null, samples, reason: `fits: ${seen}` }
  return { ...of, suggested: duration(wantedMs), samples, reason: `twice what was seen: ${seen}` }
}

function idleTimeoutOf({ name, keepAlive }: InForce['clusters'][number], { endpoints }: ClusterStats): Suggestion {
  const { idleTimeout } = keepAlive
  const ages = endpoints.flatMap(({ closesIdleAfterMs }) => closesIdleAfterMs ?? [])
  const configured = idleTimeout === 'learned' ? 'learned' : duration(idleTimeout)
  const of = { noun: 'clusters', name, key: ['keepAlive', 'idleTimeout'], configured, samples: ages.length } as const
  if (ages.length === 0) {
    return { ...of, suggested: null, reason: 'too little is known: no endpoint was seen to close an idle connection' }
  }
  const shortest = Math.min(...ages)
  const safeMs = Math.floor((shortest * 4) / 5)
  const seen = `idle connections are closed after ${shown(shortest)} (${ages.length} of ${endpoints.length} endpoints seen)`
  if (idleTimeout === 'learned') return { ...of, suggested: null, reason: `fits, ${shown(safeMs)} now: ${seen}` }
  if (idleTimeout <= safeMs && isNear(idleTimeout, safeMs)) return { ...of, suggested: null, reason: `fits: ${seen}` }
  const reason = idleTimeout > safeMs ? 'a reused connection may be closed already' : 'connections could be kept longer'
  return { ...of, suggested: duration(safeMs), reason: `${reason}: ${seen}` }
}

function maxRequestsOf({ name, circuitBreaker }: InForce['clusters'][number], { endpoints }: ClusterStats): Suggestion {
  const bound = circuitBreaker?.maxRequests ?? null
  const classes = together(endpoints.map(({ concurrency }) => concurrency)).filter(
    ({ answers }) => answers >= enoughOfClass,
  )
  const samples = classes.reduce((sum, { answers }) => sum + answers, 0)
  const key = ['circuitBreaker', 'maxRequests'] as const
  const of = { noun: 'clusters', name, key, configured: bound === null ? 'no bound' : String(bound), samples } as const
  const [base] = classes
  if (base === undefined) {
    const reason = `too little is known: fewer than ${enoughOfClass} answers were looked at for any number at once`
    return { ...of, suggested: null, reason }
  }
  const isBad = ({ meanUs, failures, answers }: AtOnce) =>
    meanUs > base.meanUs * slower || failures > answers * mostFailedAtOnce
  const knee = classes.findIndex(isBad)
  const last = classes.at(-1) as AtOnce
  if (knee === -1) {
    const reason = `no limit was met: as fast with ${last.most} at once for each endpoint (${shown(last.meanUs / 1_000)} on average) as with ${base.most}`
    return { ...of, suggested: null, reason }
  }
  const [safe, worse] = [classes[knee - 1], classes[knee] as AtOnce]
  if (safe === undefined) {
    const reason = `it fails ${percent(worse)} of what it gets with ${worse.most} at once already: nothing to learn from`
    return { ...of, suggested: null, reason }
  }
  const wanted = safe.most * Math.max(1, endpoints.filter(({ healthy }) => healthy).length)
  const how = worse.meanUs > base.meanUs * slower ? `takes ${shown(worse.meanUs / 1_000)}` : `fails ${percent(worse)}`
  const seen = `with ${safe.most} at once an endpoint takes ${shown(safe.meanUs / 1_000)} on average, with ${worse.most} it ${how}`
  if (bound !== null && isNear(bound, wanted)) return { ...of, suggested: null, reason: `fits: ${seen}` }
  return { ...of, suggested: String(wanted), reason: `${seen}; for all healthy endpoints together` }
}

/** What all endpoints saw, by the exchanges under way at one. */
function together(seen: readonly AtOnce[][]): AtOnce[] {
  const sums = new Map<number, { answers: number; failures: number; us: number }>()
  for (const { most, answers, failures, meanUs } of seen.flat()) {
    const sum = sums.get(most) ?? { answers: 0, failures: 0, us: 0 }
    sum.answers += answers
    sum.failures += failures
    sum.us += meanUs * (answers - failures)
    sums.set(most, sum)
  }
  return [...sums]
    .sort(([one], [other]) => one - other)
    .map(([most, { answers, failures, us }]) => ({
      most,
      answers,
      failures,
      meanUs: us / Math.max(1, answers - failures),
    }))
}

function isNear(one: number, other: number): boolean {
  return Math.max(one, other) <= Math.min(one, other) * near
}

/** To two digits, so that it reads like a decision. */
function roundedUp(ms: number): number {
  const step = 10 ** Math.max(0, Math.floor(Math.log10(ms)) - 1)
  return Math.ceil(ms / step) * step
}

function timeout(ms: number): string {
  return ms === 0 ? 'off' : duration(ms)
}

/** As a configuration takes it. */
function duration(ms: number): string {
  return ms > 0 && ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`
}

function shown(ms: number): string {
  return ms >= 1_000 ? `${Number((ms / 1_000).toFixed(2))} s` : `${Number(ms.toFixed(ms >= 10 ? 0 : 2))} ms`
}

function percent({ failures, answers }: AtOnce): string {
  return `${Number(((failures / answers) * 100).toFixed(1))} %`
}
