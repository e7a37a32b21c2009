/**
 * The benchmark: parse → choose proxies and scenarios → measure in rounds → judge, once more where a budget was missed
 * → report.
 *
 * Exit code 0: every budget met; 1: one was missed, or Weft failed, twice in a row; 2: nothing could
 * be measured.
 */
import { mkdirSync } from 'node:fs'
import { type Options, parseOptions, USAGE } from './arguments.js'
import { type Budgets, fails, isOurs, judge, readBudgets, type Verdict } from './judge.js'
import { measureScenario, type ScenarioResult } from './measure.js'
import { killEverything, setSessionPriority } from './processes.js'
import { listProxies, type MeasuredProxy } from './proxies.js'
import { circumstances, describeVerdict, type Report, table, writeJson, writeReadmes } from './report.js'
import { openRig, type Rig } from './rig.js'
import { scenarios } from './scenarios/index.js'
import type { Scenario } from './scenarios/scenario.js'

// Debian keeps nginx and haproxy where only root looks.
process.env.PATH += ':/usr/sbin'
process.on('exit', killEverything)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(`bench: ${error instanceof Error ? error.message : error}`)
  return 2
})

async function main(words: string[]): Promise<number> {
  let options: Options
  try {
    options = parseOptions(words)
  } catch (error) {
    console.error(`bench: ${error instanceof Error ? error.message : error}\n${USAGE}`)
    return 2
  }
  const proxies = chooseProxies(options)
  if (proxies === null) return 2
  const budgets = readBudgets()
  const chosen = scenarios.filter(({ name }) => options.scenarios?.includes(name) ?? true)
  const results: ScenarioResult[] = []
  const verdicts: Verdict[] = []
  if (options.priority !== null) setSessionPriority(options.priority)
  const rig = await openRig()
  try {
    for (const scenario of chosen) {
      const judged = await measureAndJudge(scenario, proxies, options, budgets, rig)
      if (judged === null) continue
      results.push(judged.result)
      verdicts.push(...judged.verdicts)
    }
  } finally {
    await rig.close()
  }
  return publish({ date: new Date(), proxies, results, verdicts }, options)
}

/** Null when a proxy is unknown or not installed. */
function chooseProxies(options: Options): MeasuredProxy[] | null {
  const known = listProxies(options.weft, options.weftAgent)
  const unknown = options.proxies?.find((name) => !known.some((proxy) => proxy.name === name))
  if (unknown !== undefined) {
    console.error(`bench: there is no proxy ${unknown}`)
    return null
  }
  const wanted = known.filter(({ name }) => options.proxies?.includes(name) ?? true)
  const missing = wanted.filter((proxy) => proxy.missing() !== null)
  const installed = wanted.filter((proxy) => proxy.missing() === null).map(({ name }) => name)
  for (const proxy of missing) console.error(`bench: ${proxy.name} cannot run: ${proxy.missing()}`)
  // A budget that nobody judged would look like one that was met: whoever does without a proxy has to say so.
  if (missing.length > 0) console.error(`bench: leave out what is missing with --proxies ${installed.join(',')}`)
  return missing.length > 0 ? null : wanted
}

/** A missed or unclear budget, or a failure of ours, gets one more measurement, whose verdict stands. Null when the scenario has no proxy to measure. */
async function measureAndJudge(
  scenario: Scenario,
  proxies: readonly MeasuredProxy[],
  options: Options,
  budgets: Budgets,
  rig: Rig,
): Promise<{ result: ScenarioResult; verdicts: Verdict[] } | null> {
  const usual = options.quick ? scenario.quick : scenario.full
  const extent = { rounds: options.rounds ?? usual.rounds, seconds: options.seconds ?? usual.seconds }
  const { takesPart = () => true } = scenario
  const able = proxies.filter(takesPart)
  const turns = options.quick && scenario.weftOnlyWhenQuick ? able.filter(({ name }) => isOurs(name)) : able
  if (turns.length === 0) return null
  const measure = async (rounds: number) => {
    const result = await measureScenario(scenario, turns, { ...extent, rounds }, rig, console.log)
    return { result, verdicts: judge(result, budgets) }
  }
  const first = await measure(extent.rounds)
  const doubts = first.verdicts.filter((verdict) => fails(verdict) || verdict.outcome === 'unclear')
  const reasons = [...doubts.map(describeVerdict), ...ownFailures(first.result)]
  if (reasons.length === 0) return first
  console.log(`${scenario.name}: ${reasons.join('; ')}; once more`)
  // One round alone would be the machine's word against the machine's.
  return measure(Math.max(extent.rounds, 3))
}

/** Failed requests, closed connections, a start that failed: whether or not the scenario has a budget. */
function ownFailures({ failures }: ScenarioResult): string[] {
  return [...failures].filter(([name]) => isOurs(name)).map(([name, why]) => `${name} failed: ${why}`)
}

function publish(report: Report, options: Options): number {
  const file = options.json ?? `bench/results/${report.date.toISOString().slice(0, 16).replace(':', '-')}.json`
  if (options.json === null) mkdirSync('bench/results', { recursive: true })
  writeJson(report, file)
  console.log(`\n${circumstances(report)}\n\n${table(report)}\n\nsamples: ${file}`)
  if (options.readme) console.log(`rewritten: ${writeReadmes(report).join(', ') || 'nothing has the markers'}`)
  const missed = report.verdicts.filter(fails)
  const failed = report.results.flatMap((result) => ownFailures(result).map((why) => `${result.scenario.name}: ${why}`))
  for (const verdict of missed) console.error(`budget missed twice: ${verdict.scenario}: ${describeVerdict(verdict)}`)
  for (const failure of failed) console.error(`failed twice: ${failure}`)
  return missed.length + failed.length > 0 ? 1 : 0
}
