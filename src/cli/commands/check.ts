/** `weft check`: whether the control plane, its certificates, its registry and its mesh are as they should be. */

import type { Checked } from '../../control/check/check.js'
import type { Paint } from '../../telemetry/explanation-text.js'
import type { CliCommand } from '../command.js'
import { exitCodes } from '../output.js'
import { painter, plain } from '../paint.js'
import { addSessionOptions, type SessionOptions, withSession } from '../session.js'
import { weftVersion } from '../version.js'

export interface Answer {
  version: string
  at: string
  items: Checked[]
}

/** Tokens and certificates are judged by clocks; more than this is told by Linkerd, too. */
const clockSkewMs = 20_000

export const check: CliCommand = {
  name: 'check',
  about: 'look for what is wrong, or will be soon: store, access, certificates, registry, data planes, resources',
  declare(command, finish) {
    addSessionOptions(command).action((options: SessionOptions) =>
      finish(
        withSession(options, async ({ client, print }) => {
          const asked = Date.now()
          const answer = await client.get<Answer>('/v1/check')
          const items = [...compare(answer, weftVersion, asked, Date.now()), ...answer.items]
          await print(describeChecks(items, painter(process.stdout)), items)
          return items.some(({ level }) => level === 'error') ? exitCodes.failed : exitCodes.ok
        }),
      ),
    )
  },
}

/** What only who asks can see: that it was answered, by which version, and what the clocks say. */
export function compare({ version, at }: Answer, own: string, askedMs: number, answeredMs: number): Checked[] {
  const group = 'control plane'
  const there = Date.parse(at)
  const skewMs = Math.max(askedMs - there, there - answeredMs, 0)
  const clocks = skewMs > clockSkewMs
  const other = version !== own
  return [
    { id: 'api-answers', group, about: 'the API answers, and takes the token', level: 'ok', message: null, hint: null },
    {
      ...{ id: 'versions-agree', group, about: 'command and control plane are of one version' },
      level: other ? 'warning' : 'ok',
      message: other ? `this is weft ${own}, the control plane is ${version}` : null,
      hint: other ? 'install the same version' : null,
    },
    {
      ...{ id: 'clocks-agree', group, about: `the clocks are no more than ${clockSkewMs / 1000} s apart` },
      level: clocks ? 'error' : 'ok',
      message: clocks
        ? `they are ${Math.round(skewMs / 1000)} s apart: tokens and certificates end at other times here and there`
        : null,
      hint: clocks ? 'look at NTP on both machines' : null,
    },
  ]
}

const signs = { ok: '√', warning: '‼', error: '×' } as const
const colours = { ok: 'green', warning: 'yellow', error: 'red' } as const

/** Group by group, as `linkerd check` does; what was found stands below its line, with what to do. */
export function describeChecks(items: readonly Checked[], paint: Paint = plain): string {
  const lines: string[] = []
  let group = ''
  for (const item of items) {
    if (item.group !== group) {
      if (group !== '') lines.push('')
      group = item.group
      lines.push(group)
    }
    lines.push(`  ${paint(colours[item.level], signs[item.level])} ${item.about}`)
    if (item.message !== null) lines.push(`      ${item.message}`)
    if (item.hint !== null) lines.push(`      hint: ${item.hint}`)
  }
  const count = (level: Checked['level']) => items.filter((item) => item.level === level).length
  const [errors, warnings] = [count('error'), count('warning')]
  const plural = (number: number, word: string) => `${number} ${word}${number === 1 ? '' : 's'}`
  return [...lines, '', `${items.length} checks: ${plural(errors, 'error')}, ${plural(warnings, 'warning')}`].join('\n')
}
