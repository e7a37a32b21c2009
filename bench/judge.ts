/**
 * Results against budgets.json. A budget against a peer is a ratio within one run, formed round by round and then
 * reduced to its median; the others (memory, start) are absolute.
 */
import { readFileSync } from 'node:fs'
import { medianOf, type ScenarioResult } from './measure.js'
import type { Sample } from './scenarios/scenario.js'
import { median } from './statistics.js'

export interface Budget {
  readonly metric: string
  readonly against?: string
  readonly must: number
  readonly aim: number
  /**
   * `false`: judged and printed, but no run fails by it. For ratios that move with the machine's share of kernel time
   * rather than with our code: Envoy costs 3.4× nginx on one processor and 2.2× on another.
   */
  readonly gates?: boolean
}

export type Budgets = Readonly<Record<string, readonly Budget[]>>

export interface Verdict {
  readonly scenario: string
  readonly proxy: string
  readonly budget: Budget
  /** The ratio or the figure itself; NaN when noise left nothing to judge by. */
  readonly value: number
  readonly outcome: 'aim met' | 'met' | 'missed' | 'unclear'
}

export function readBudgets(): Budgets {
  return JSON.parse(readFileSync('bench/budgets.json', 'utf8')) as Budgets
}

/** Whether a run fails by it. */
export function fails({ outcome, budget }: Verdict): boolean {
  return outcome === 'missed' && budget.gates !== false
}

/** The proxies that have a budget: ours. */
export function isOurs(proxy: string): boolean {
  return proxy.startsWith('weft')
}

/**
 * A budget against a peer that took no part is left out, one against a peer that failed is unclear; all budgets of a
 * proxy of ours that failed are missed.
 */
export function judge(result: ScenarioResult, budgets: Budgets): Verdict[] {
  const { scenario, samples, failures } = result
  const ours = [...samples.keys(), ...failures.keys()].filter(isOurs)
  return ours.flatMap((proxy) =>
    (budgets[scenario.name] ?? [])
      .filter(({ against }) => against === undefined || samples.has(against) || failures.has(against))
      .map((budget) => {
        const value = figure(result, proxy, budget)
        const outcome = failures.has(proxy) ? 'missed' : outcomeOf(value, budget)
        return { scenario: scenario.name, proxy, budget, value, outcome }
      }),
  )
}

function outcomeOf(value: number, { must, aim }: Budget): Verdict['outcome'] {
  if (Number.isNaN(value)) return 'unclear'
  if (value > must) return 'missed'
  return value > aim ? 'met' : 'aim met'
}

function figure(result: ScenarioResult, proxy: string, { metric, against }: Budget): number {
  if (against === undefined) return medianOf(result, proxy, metric)
  const peer = result.samples.get(against) ?? []
  return median(ratios(result.samples.get(proxy) ?? [], peer, metric))
}

/** Rounds in which noise made the peer's figure zero or less have no ratio. */
function ratios(own: readonly Sample[], peer: readonly Sample[], metric: string): number[] {
  return own.flatMap((sample, round) => {
    const [a, b] = [sample[metric] ?? Number.NaN, peer[round]?.[metric] ?? Number.NaN]
    return b > 0 ? [a / b] : []
  })
}
