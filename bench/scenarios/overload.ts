/**
 * At three times what a worker can do: how much of it is done still, and for whom. A filter that waits makes the capacity,
 * two milliseconds of the loop for each request, so that it is the same on every machine and beside every neighbour.
 */
import { type Count, type Offer, offer } from '../offer.js'
import type { Scenario } from './scenario.js'

const OVERLOAD = 3
/** Rather more than a worker can do; so few connections keep it busy without any pressure. */
const CAPACITY = { rate: 5_000, connections: 20, seconds: 2, settleSeconds: 0.5 }
const CONNECTIONS = 400
const SETTLE_SECONDS = 3
/** Without shedding each would wait for all others, longer than this. */
const PATIENCE_MS = 600
const TURNS = ['critical', 'default', 'sheddable', 'default', 'sheddable']

export const overload: Scenario = {
  name: 'overload',
  summary: 'three times the capacity of a worker, a fifth of it critical: requests done within 0.6 s, against capacity',
  metrics: [
    { name: 'goodputLostPercent', title: '% of capacity lost', digits: 1 },
    { name: 'criticalLostPercent', title: '% of critical lost', digits: 2 },
    { name: 'sheddableLostPercent', title: '% of sheddable lost', digits: 0 },
    { name: 'offeredRatio', title: 'offered/capacity', digits: 2 },
    { name: 'capacity', title: 'capacity, requests/s', digits: 0 },
  ],
  full: { rounds: 3, seconds: 6 },
  quick: { rounds: 1, seconds: 4 },
  weftOnlyWhenQuick: false,
  takesPart: ({ name }) => name === 'weft',
  measure: async (rig, proxy, seconds) => {
    const running = await rig.start({ ...proxy, template: 'weft-overload.yaml' })
    try {
      await rig.warmUp(running)
      const asked: Pick<Offer, 'port' | 'turns' | 'request' | 'patienceMs'> = {
        port: Number(running.address.split(':')[1]),
        turns: TURNS,
        patienceMs: PATIENCE_MS,
        request: (kind) => ({ path: '/slow', lines: [`X-Criticality: ${kind}`] }),
      }
      const capacity = sum(await offer({ ...asked, ...CAPACITY }), 'served') / CAPACITY.seconds
      const load = { rate: capacity * OVERLOAD, connections: CONNECTIONS, seconds, settleSeconds: SETTLE_SECONDS }
      const counts = await offer({ ...asked, ...load })
      return {
        goodputLostPercent: 100 * (1 - sum(counts, 'served') / seconds / capacity),
        criticalLostPercent: lostPercent(counts.get('critical')),
        sheddableLostPercent: lostPercent(counts.get('sheddable')),
        offeredRatio: sum(counts, 'asked') / seconds / capacity,
        capacity,
      }
    } finally {
      await running.end()
    }
  },
}

function sum(counts: ReadonlyMap<string, Count>, of: keyof Count): number {
  return [...counts.values()].reduce((all, count) => all + count[of], 0)
}

/** Of those that were asked; all of them where nobody asked. */
export function lostPercent({ asked, served }: Count = { asked: 0, served: 0 }): number {
  return asked === 0 ? 100 : 100 * (1 - served / asked)
}
