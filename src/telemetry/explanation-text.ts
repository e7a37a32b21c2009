/** An explanation as text for people: what becomes of the request, then each rule with its standing and reason. */

import type { Explanation, FaultTold, ListenerAnswer, Outcome, RuleVerdict, Share } from '../native/explanation.js'
import { describeGroup } from './group-text.js'

/** Colours a text, or leaves it. */
export type Paint = (colour: 'red' | 'green' | 'yellow' | 'cyan' | 'bold' | 'dim', text: string) => string

const plain: Paint = (_, text) => text

/** Of rules for other hosts, and of endpoints, only so many are listed. */
const mostOthers = 5
const mostEndpoints = 8

export function describeAnswer(answer: ListenerAnswer, paint: Paint = plain): string {
  const { listener, refused, explanation } = answer
  const title = paint('bold', `listener ${listener}`)
  if (explanation === null)
    return `${title}\n  ${paint('red', `${refused?.status} before routing`)}: ${refused?.reason}`
  const { method, host, hostFrom, path, query, chosen, rules, outcome } = explanation
  const named = `host ${host === '' ? '(none)' : host}${hostFrom === 'host' ? '' : `, named by ${hostFrom}`}`
  const asked = `  ${method} ${path}${query === '' ? '' : `?${query}`}  ${paint('dim', named)}`
  const taken = chosen === null ? undefined : rules[chosen]
  const result =
    taken === undefined || outcome === null
      ? [`  ${paint('red', '404 no route takes this request')}`]
      : [
          `  ${paint('green', `route ${taken.route}`)}  ${describeKind(outcome)}`,
          ...describeOutcome(outcome, paint),
          ...describeRelease(explanation, paint),
        ]
  return [title, asked, ...result, '', ...describeRules(rules, paint)].join('\n')
}

function describeKind(outcome: Outcome): string {
  if (outcome.type === 'redirect') return `redirects with ${outcome.status} to ${outcome.location}`
  if (outcome.type === 'respond') return `answers ${outcome.status} itself with ${outcome.bodyBytes} bytes`
  const changed = [outcome.path && `path ${outcome.path}`, outcome.authority && `host ${outcome.authority}`]
  const words = changed.filter((part) => part !== null).join(' and ')
  return words === '' ? 'forwards' : `forwards with ${words}`
}

function describeOutcome(outcome: Outcome, paint: Paint): string[] {
  if (outcome.type !== 'forward') return []
  const sticky = outcome.sticky === null ? [] : [`    sticky by ${outcome.sticky}`]
  const rows = outcome.split.map((share) => [
    share.takes === true ? '→' : ' ',
    `${Number(share.percent.toFixed(2))} %`,
    `cluster ${share.cluster}${share.subset === null ? '' : ` (${share.subset})`}`,
    describeEndpoints(share),
  ])
  const shares = aligned(rows).map((row, at) => `    ${shade(paint, outcome.split[at], row)}`)
  return [...sticky, ...shares, ...outcome.split.flatMap(describeShare), ...outcome.split.flatMap(describeAffinity)]
}

/** How the groups of endpoints share requests, where there are several, or too few are healthy. */
function describeShare({ cluster, subset, group }: Share): string[] {
  const name = subset === null ? cluster : `${cluster} (${subset})`
  if (group === null) return subset === null ? [] : [`    nobody takes the requests for ${name}`]
  const instead =
    subset !== null && group.subset !== subset ? [`    no endpoint is in ${name}: its fallback takes them`] : []
  return [...instead, ...describeGroup(group).map((line) => `    in ${name} ${line}`)]
}

function describeAffinity({ cluster, affinity }: Share): string[] {
  if (affinity === null) return []
  const endpoint = affinity.endpoint === null ? '' : ` → ${affinity.endpoint} while it is up`
  return [`    in ${cluster} by ${affinity.by}${endpoint}`]
}

/** What happens to the route's requests beside being forwarded. */
export function describeRelease({ fault, mirrors = [], switched }: Explanation, paint: Paint = plain): string[] {
  const copies = mirrors.map((words) => `    mirror: ${words}`)
  const moved = switched === undefined ? [] : [`    ${paint('yellow', `switched: ${switched}`)}`]
  return [...moved, ...(fault === undefined ? [] : [describeFault(fault, paint)]), ...copies]
}

function describeFault({ does, leftMs }: FaultTold, paint: Paint): string {
  const left =
    leftMs === null ? 'until it is removed' : leftMs === 0 ? 'over' : `for ${Math.ceil(leftMs / 1_000)} s more`
  return `    ${paint(leftMs === 0 ? 'dim' : 'yellow', `fault: ${does.join(', ')}; ${left}`)}`
}

function shade(paint: Paint, share: Share | undefined, row: string): string {
  if (share?.takes === null || share === undefined) return row
  return paint(share.takes ? 'green' : 'dim', row)
}

function describeEndpoints({ endpoints }: Share): string {
  if (endpoints.length === 0) return 'no endpoints known before it runs'
  const more = endpoints.length - mostEndpoints
  return `${endpoints.slice(0, mostEndpoints).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

export function describeRules(rules: readonly RuleVerdict[], paint: Paint = plain): string[] {
  const others = rules.filter(({ sameHost }) => !sameHost)
  const shown = [...rules.filter(({ sameHost }) => sameHost), ...others.slice(0, mostOthers)]
  const rows = shown.map(({ route, asks, standing, reason }) => [marks[standing], route, asks, reason])
  const lines = aligned(rows).map((row, at) => `    ${paint(colours[shown[at]?.standing ?? 'passed-over'], row)}`)
  const hidden = others.length - mostOthers
  const rest = hidden > 0 ? [paint('dim', `    and ${hidden} more for other hosts`)] : []
  return ['  rules in the order in which they are tried', ...lines, ...rest]
}

const marks = { chosen: '✓', outranked: '–', 'passed-over': '✗' } as const
const colours = { chosen: 'green', outranked: 'yellow', 'passed-over': 'dim' } as const

/** Columns as wide as their widest cell, up to a width at which they are left ragged. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(Math.min(widths[column] ?? 0, 72)))
      .join('  ')
      .trimEnd(),
  )
}
