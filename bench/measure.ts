/**
 * One scenario, measured: rounds in which the proxies take turns (A B C A B C), so that whatever drifts in the machine
 * drifts for all of them.
 */
import { cpuSeconds, machineCpuSeconds } from './processes.js'
import type { MeasuredProxy } from './proxies.js'
import type { Rig } from './rig.js'
import type { Extent, Sample, Scenario } from './scenarios/scenario.js'
import { median } from './statistics.js'

export interface ScenarioResult {
  readonly scenario: Scenario
  readonly extent: Extent
  /** Per proxy its samples, one per round. */
  readonly samples: ReadonlyMap<string, Sample[]>
  /** Per proxy that could not be measured, why. */
  readonly failures: ReadonlyMap<string, string>
  /** Cores that processes outside of this run used meanwhile; over a tenth of one is noise. */
  readonly foreignCores: number
}

export type Progress = (line: string) => void

export async function measureScenario(
  scenario: Scenario,
  proxies: readonly MeasuredProxy[],
  extent: Extent,
  rig: Rig,
  progress: Progress,
): Promise<ScenarioResult> {
  const samples = new Map<string, Sample[]>()
  const failures = new Map<string, string>()
  const foreign = watchForeignCpu()
  for (let round = 1; round <= extent.rounds; round++) {
    const baseline = (await scenario.baseline?.(rig, extent.seconds)) ?? {}
    for (const proxy of proxies) {
      if (failures.has(proxy.name)) continue
      try {
        const sample = await scenario.measure(rig, proxy, extent.seconds, baseline)
        samples.set(proxy.name, [...(samples.get(proxy.name) ?? []), sample])
        progress(`${scenario.name} ${round}/${extent.rounds} ${proxy.name}: ${describe(scenario, sample)}`)
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        failures.set(proxy.name, reason)
        samples.delete(proxy.name)
        progress(`${scenario.name} ${round}/${extent.rounds} ${proxy.name}: failed: ${reason}`)
      }
    }
  }
  await rig.endKept()
  return { scenario, extent, samples, failures, foreignCores: foreign() }
}

/** The median of a metric over the rounds; NaN where there are none. */
export function medianOf(result: ScenarioResult, proxy: string, metric: string): number {
  return median((result.samples.get(proxy) ?? []).map((sample) => sample[metric] ?? Number.NaN))
}

/** A dash where noise left no figure. */
export function formatFigure(value: number | undefined, digits: number): string {
  return value === undefined || Number.isNaN(value) ? '–' : value.toFixed(digits)
}

function describe(scenario: Scenario, sample: Sample): string {
  return scenario.metrics.map(({ name, title, digits }) => `${formatFigure(sample[name], digits)} ${title}`).join(', ')
}

/** Starts watching; the returned function says how many cores others have used on average since. */
function watchForeignCpu(): () => number {
  const used = () => ({ time: performance.now() / 1000, machine: machineCpuSeconds(), own: cpuSeconds(process.pid) })
  const begin = used()
  return () => {
    const end = used()
    return Math.max(0, (end.machine - begin.machine - (end.own - begin.own)) / (end.time - begin.time))
  }
}
