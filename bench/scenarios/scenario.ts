/** What every scenario is: a name, what it measures, and one measurement of one proxy in one round. */
import type { MeasuredProxy } from '../proxies.js'
import type { Rig } from '../rig.js'

/** One measurement: a number per metric. */
export type Sample = Readonly<Record<string, number>>

export interface Metric {
  readonly name: string
  /** Column in the report, with its unit. */
  readonly title: string
  readonly digits: number
}

export interface Extent {
  readonly rounds: number
  readonly seconds: number
}

export interface Scenario {
  readonly name: string
  readonly summary: string
  /** The first ones are what the budgets are about. */
  readonly metrics: readonly Metric[]
  readonly full: Extent
  readonly quick: Extent
  /** Whether a quick run leaves the peers out, because the budget is absolute and their turn is long. */
  readonly weftOnlyWhenQuick: boolean
  /** Which proxies can; absent: all. */
  readonly takesPart?: (proxy: MeasuredProxy) => boolean
  /** What a round measures before the proxies take their turns, such as the same load without a proxy. */
  readonly baseline?: (rig: Rig, seconds: number) => Promise<Sample>
  readonly measure: (rig: Rig, proxy: MeasuredProxy, seconds: number, baseline: Sample) => Promise<Sample>
}
