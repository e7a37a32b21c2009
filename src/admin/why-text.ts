/** What `why` says to people: the decision, the attempts on a time line, what failed and what to do. A pure function. */
import type { Why } from '../native/index.js'
import { describeRelease, describeRules } from '../telemetry/explanation-text.js'
import { columns } from './endpoint.js'

/** Characters of the time line. */
const lineWidth = 32

export function whyText(why: Why): string {
  const blocks = [summary(why), decision(why), attempts(why), policies(why), passedOver(why), failure(why)]
  return blocks.filter((block) => block !== '').join('\n')
}

function summary({ record, flagInWords, others }: Why): string {
  const { method, authority, path, status, flag, totalUs, id, startUnixUs, downstream, protocol, traceId } = record
  const outcome = status === 0 ? 'no answer' : String(status)
  const flagged = flagInWords === null ? '' : ` ${flag} (${flagInWords})`
  const rows = [
    ['id', id === '' ? '-' : id],
    ['time', new Date(startUnixUs / 1_000).toISOString()],
    ['client', `${downstream ?? '-'} ${protocol}`],
    ...(traceId === null ? [] : [['trace', traceId]]),
    ...Object.entries(record.headers).map(([name, value]) => [name, value]),
    ...(others === 0 ? [] : [['note', `${others} older records have this id too`]]),
  ]
  const target = authority === '' ? path : `${authority}${path}`
  return `${method} ${target} -> ${outcome}${flagged} in ${ms(totalUs)}\n${indent(columns(rows))}`
}

function decision({ record, generationInForce, generationKnown, routing, redacted }: Why): string {
  const { listener, route, cluster, generation } = record
  const age = generation === generationInForce ? 'in force' : `since replaced by ${generationInForce}`
  const gone = generationKnown
    ? ''
    : `\n  generation ${generation} is no longer kept, so its names and rules are not known`
  const way = [`listener ${listener ?? '-'}`, `route ${route ?? '-'}`, `cluster ${cluster ?? '-'}`].join(' -> ')
  const rules = routing === null ? '' : `${[...describeRelease(routing), ...describeRules(routing.rules)].join('\n')}\n`
  const unsure = redacted.filter((name) => routing?.rules.some(({ asks }) => asks.includes(`header ${name} `)))
  const note =
    unsure.length === 0 ? '' : `  (rules about ${unsure.join(', ')} cannot be asked again: the values are not kept)\n`
  return `decided by generation ${generation} (${age})\n  ${way}${gone}\n${rules}${note}${difference(record, routing)}`
}

/** What was not recorded of the request, or was cut, may make the rules choose otherwise when they are asked again. */
function difference({ route, marks }: Why['record'], routing: Why['routing']): string {
  if (routing === null) return ''
  const again = routing.chosen === null ? null : (routing.rules[routing.chosen]?.route ?? null)
  if (again === route) return ''
  const reason = marks.includes('cut') ? 'a text of the record was cut' : 'not all of the request is recorded'
  return `  (asked again, the rules choose ${again === null ? 'no route' : again}: ${reason})\n`
}

function attempts({ record, attempts: all }: Why): string {
  if (all.length === 0)
    return record.marks.includes('answered') ? 'the route answered by itself\n' : 'no attempt was made\n'
  const rows = all.map((attempt, at) => [
    at + 1,
    attempt.upstream ?? '-',
    `|${bar(attempt.startedUs, attempt.endedUs, record.totalUs)}|`,
    `${ms(attempt.startedUs)} to ${ms(attempt.endedUs)}`,
    attempt.reused ? 'reused connection' : attempt.connectUs === 0 ? '-' : `connected in ${ms(attempt.connectUs)}`,
    attempt.failure ?? `answered ${attempt.status}`,
  ])
  const lines = columns(rows).trimEnd().split('\n')
  const told = lines.map((line, at) => {
    const compared = (all[at]?.candidates ?? []).map(
      ({ address, score, picked }) => `${address ?? '?'} ${scoreText(score)}${picked ? ' (picked)' : ''}`,
    )
    return compared.length === 0 ? line : `${line}\n   compared: ${compared.join(', ')}; the lowest score wins`
  })
  const missing = record.attemptCount - all.length
  const more = missing > 0 ? `\n(${missing} further attempts are not recorded)` : ''
  return `attempts\n${indent(`${told.join('\n')}${more}\n`)}`
}

/** An endpoint that may not be used has none. */
function scoreText(score: number | null): string {
  return score === null ? 'not usable' : String(Number(score.toPrecision(4)))
}

/** Where an attempt lies in the whole exchange. */
function bar(startedUs: number, endedUs: number, totalUs: number): string {
  const place = (us: number) => Math.min(lineWidth, Math.round((us / Math.max(1, totalUs)) * lineWidth))
  const from = Math.min(lineWidth - 1, place(startedUs))
  const to = Math.max(from + 1, place(endedUs))
  return `${'.'.repeat(from)}${'#'.repeat(to - from)}${'.'.repeat(lineWidth - to)}`
}

function policies({ policies: all }: Why): string {
  return all.length === 0 ? '' : `policies\n${all.map((policy) => `  ${policy}\n`).join('')}`
}

function passedOver({ passedOver: all }: Why): string {
  const words = { ejected: 'was ejected', 'breaker-open': 'its breaker was open' }
  const rows = all.map(({ address, by, sinceUnixUs, untilUnixUs, reason }) => {
    const [since, until] = [sinceUnixUs, untilUnixUs].map((us) => new Date(us / 1_000).toISOString())
    return `  ${address} ${words[by]} from ${since} until ${until}: ${reason}\n`
  })
  return all.length === 0 ? '' : `passed over\n${rows.join('')}`
}

function failure({ record, advice }: Why): string {
  const heading = record.flag === '-' ? 'what happened' : 'what failed'
  const what = record.detail === '' ? '' : `${heading}\n  ${record.detail}\n`
  return advice === '' ? what : `${what}what to do\n  ${advice}\n`
}

function ms(us: number): string {
  return `${(us / 1_000).toFixed(us < 10_000 ? 2 : 0)} ms`
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ')
}
