/** `clusters[].loadBalancer` → the engine's balancer. */
import type { ResolvedLoadBalancer } from '../../config/clusters/load-balancer.js'
import type { LoadBalancer, SlowStart } from '../../native/snapshot.js'

export function compileLoadBalancer(balancer: ResolvedLoadBalancer): LoadBalancer {
  const { policy, choices, boundedLoad } = balancer
  const slowStart = balancer.slowStart && compileSlowStart(balancer.slowStart)
  switch (policy) {
    case 'round-robin':
      return { policy, slowStart }
    case 'random':
      return { policy }
    case 'least-request': {
      const { fullScan, activeRequestBias } = balancer
      return { policy, choices, fullScan, activeRequestBias, slowStart }
    }
    case 'peak-ewma': {
      const { decay, defaultRtt, penalty } = balancer
      return { policy, choices, decayMs: decay, defaultRttMs: defaultRtt, penaltyMs: penalty, slowStart }
    }
    case 'ring-hash':
      return { policy, minRing: balancer.minRing, maxRing: balancer.maxRing, boundedLoad }
    case 'maglev':
      return { policy, tableSize: balancer.tableSize, boundedLoad }
  }
}

function compileSlowStart({ window, aggression, minWeightPercent }: NonNullable<ResolvedLoadBalancer['slowStart']>) {
  return { windowMs: window, aggression, minWeightPercent } satisfies SlowStart
}
