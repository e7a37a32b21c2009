/** A plan as text for people: one line that counts, then each group with examples. */
import type { Paint } from '../../telemetry/explanation-text.js'
import type { Comparison, Group, Kind } from './compare.js'

const colours: Record<Kind, 'red' | 'yellow' | 'dim'> = {
  refused: 'red',
  unroutable: 'red',
  cluster: 'yellow',
  share: 'yellow',
  answer: 'yellow',
  route: 'dim',
}

/** Beyond so many groups text is of no use; JSON has all. */
const mostGroups = 20

export function summary({ requests, changes }: Comparison): string {
  const { cluster, share, answer, refused, unroutable, route } = changes
  const some = (count: number, what: string) => (count === 0 ? [] : [`${count} ${what}`])
  const parts = [
    `${cluster} change cluster`,
    `${refused} would be refused`,
    `${unroutable} unroutable`,
    ...some(share, 'get other shares of a split'),
    ...some(answer, 'get another answer'),
    ...some(route, 'go the same way by another route'),
  ]
  return `of ${requests} request${requests === 1 ? '' : 's'}: ${parts.join(', ')}`
}

export function planText(comparison: Comparison, notes: readonly string[], paint: Paint): string {
  const { groups } = comparison
  const shown = groups.slice(0, mostGroups).flatMap((group) => describe(group, paint))
  const hidden = groups.length - mostGroups
  return [
    summary(comparison),
    ...shown,
    ...(hidden > 0 ? [`… and ${hidden} more kinds of change; --output json has all`] : []),
    ...notes.map((note) => `${paint('bold', 'note')}: ${note}`),
  ].join('\n')
}

function describe({ kind, count, from, to, routes, examples }: Group, paint: Paint): string[] {
  const [before, after] = routes.map((route) => route ?? 'none')
  const by = before === after ? `route ${after}` : `route ${before} → ${after}`
  return [
    `  ${count} × ${paint(colours[kind], kind)}: ${from} → ${to}  ${paint('dim', by)}`,
    ...examples.map(
      ({ id, method, authority, path }) => `      ${method} http://${authority}${path}  ${paint('dim', id)}`,
    ),
  ]
}
