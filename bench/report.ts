/** What a run leaves behind: a table for the terminal and the READMEs, and a JSON file with every sample. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import type { Verdict } from './judge.js'
import { formatFigure, medianOf, type ScenarioResult } from './measure.js'
import type { MeasuredProxy } from './proxies.js'
import type { Metric } from './scenarios/scenario.js'

/** More than this many cores used by others makes a run noise. */
const NOISE_CORES = 0.1
const MARKERS = /(<!-- bench:begin -->\n)[\s\S]*?(<!-- bench:end -->)/

export interface Report {
  readonly date: Date
  readonly proxies: readonly MeasuredProxy[]
  readonly results: readonly ScenarioResult[]
  readonly verdicts: readonly Verdict[]
}

/** A Markdown table, aligned so that it reads as well in a terminal. */
export function table(report: Report): string {
  const names = report.proxies.map(({ name }) => name)
  const rows = report.results.flatMap((result) =>
    result.scenario.metrics.map((metric) => [
      `${result.scenario.name}: ${metric.title}`,
      ...names.map((name) => cell(result, name, metric)),
      budgetCell(report.verdicts, result, metric),
    ]),
  )
  const header = ['median', ...names, 'budget']
  const widths = header.map((title, column) =>
    Math.max(...[header, ...rows].map((row) => row[column]?.length ?? 0), title.length),
  )
  const line = (cells: readonly string[]) =>
    `| ${cells.map((text, column) => text.padEnd(widths[column] ?? 0)).join(' | ')} |`
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`
  return [line(header), rule, ...rows.map(line)].join('\n')
}

function cell(result: ScenarioResult, proxy: string, metric: Metric): string {
  if (result.failures.has(proxy)) return 'failed'
  return formatFigure(medianOf(result, proxy, metric.name), metric.digits)
}

function budgetCell(verdicts: readonly Verdict[], result: ScenarioResult, metric: Metric): string {
  const own = verdicts.filter(
    ({ scenario, budget }) => scenario === result.scenario.name && budget.metric === metric.name,
  )
  return own.map(describeVerdict).join('; ')
}

/** Such as `weft 0.93× nginx (≤ 1.2): met`. */
export function describeVerdict({ proxy, budget, value, outcome }: Verdict): string {
  if (Number.isNaN(value)) return `${proxy} against ${budget.must}: ${outcome}`
  const figure = budget.against === undefined ? value.toFixed(1) : `${value.toFixed(2)}× ${budget.against}`
  return `${proxy} ${figure} (≤ ${budget.must}): ${outcome}`
}

/** One line each: machine, versions, and whether the run can be trusted. */
export function circumstances(report: Report): string {
  const [cpu] = cpus()
  const noisy = report.results.filter(({ foreignCores }) => foreignCores > NOISE_CORES)
  const noise = noisy.map(({ scenario, foreignCores }) => `${scenario.name} ${foreignCores.toFixed(2)}`).join(', ')
  const versions = report.proxies.map((proxy) => `${proxy.name} ${proxy.version()}`).join(', ')
  return [
    `${report.date.toISOString().slice(0, 10)}, ${cpus().length} × ${cpu?.model ?? 'unknown CPU'}, Linux ${release()}, Node ${process.versions.node}; ${versions}.`,
    noisy.length === 0
      ? `Calm: nobody else used more than ${NOISE_CORES} of a core.`
      : `Noisy: cores used by others meanwhile: ${noise}. Take the figures with a grain of salt.`,
  ].join('\n')
}

export function writeJson(report: Report, file: string): void {
  const scenarios = report.results.map(({ scenario, extent, samples, failures, foreignCores }) => ({
    name: scenario.name,
    extent,
    foreignCores,
    samples: Object.fromEntries(samples),
    failures: Object.fromEntries(failures),
  }))
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, kernel: release(), node: process.versions.node }
  const versions = Object.fromEntries(report.proxies.map((proxy) => [proxy.name, proxy.version()]))
  const content = { date: report.date.toISOString(), machine, versions, scenarios, verdicts: report.verdicts }
  writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`)
}

/** Replaces what stands between the markers in each of the READMEs that has them. */
export function writeReadmes(report: Report): string[] {
  const written = []
  for (const file of ['README.md', 'bench/README.md']) {
    const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
    if (!MARKERS.test(text)) continue
    const block = `\n${circumstances(report).replace('\n', '  \n')}\n\n${table(report)}\n\n`
    writeFileSync(
      file,
      text.replace(MARKERS, (_, begin: string, end: string) => `${begin}${block}${end}`),
    )
    written.push(file)
  }
  return written
}
