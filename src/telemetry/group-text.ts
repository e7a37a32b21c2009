/** The groups of a cluster as text for people: who takes which share as of now. */
import type { Group, GroupLevel, GroupZone } from '../native/groups.js'

/** Nothing where a balancer draws among all endpoints as if there were no groups. */
export function describeGroup({ levels }: Group): string[] {
  const only = levels.length === 1 ? levels[0] : undefined
  if (only !== undefined && only.zones.length === 0 && !only.panicked) return []
  return levels.flatMap((level) => [describeLevel(level), ...level.zones.map((zone) => `  ${describeZone(zone)}`)])
}

export function describeLevel({ priority, percent, healthy, endpoints, panicked }: GroupLevel): string {
  const panic = panicked ? ', in panic: all are used' : ''
  return `priority ${priority} takes ${rounded(percent)} %, ${healthy} of ${endpoints} healthy${panic}`
}

function describeZone({ region, zone, own, percent, healthy, endpoints }: GroupZone): string {
  const name = [region, zone].filter((part) => part !== '').join('/') || '(none)'
  return `zone ${name} takes ${rounded(percent)} %, ${healthy} of ${endpoints} healthy${own ? ', the own one' : ''}`
}

function rounded(percent: number): number {
  return Number(percent.toFixed(1))
}
