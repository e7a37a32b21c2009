/** The line that says the proxy is up, and what it does: `weft 0.1.0 ready in 123 ms: edge http 127.0.0.1:8080 → app`. */
import type { Plan } from './prepare.js'

export function startLine(version: string, startMs: number, plan: Pick<Plan, 'listeners' | 'clusters'>): string {
  const doors = plan.listeners.map(({ name, protocol, address, clusters }) => {
    const to = [...new Set(clusters)].map((cluster) => `${cluster} (${countEndpoints(plan, cluster)})`)
    return `${name} ${protocol} ${address} → ${to.length > 0 ? to.join(', ') : 'no route'}`
  })
  return `weft ${version} ready in ${startMs} ms: ${doors.join('; ')}`
}

function countEndpoints(plan: Pick<Plan, 'clusters'>, cluster: string): string {
  const count = plan.clusters.find(({ name }) => name === cluster)?.endpoints.length ?? 0
  return count === 1 ? '1 endpoint' : `${count} endpoints`
}
