/** One client that asks for a hundred times its share of a fair limit, beside those that ask for theirs: what they lose. */
import { offer } from '../offer.js'
import { lostPercent } from './overload.js'
import type { Scenario } from './scenario.js'

/** As in weft-fair.yaml. */
const LIMIT = 1_000
const OTHERS = Array.from({ length: 19 }, (_, at) => `quiet-${at}`)
const SHARE = LIMIT / (OTHERS.length + 1)
const GREED = 100
/** Several windows in which demands are counted. */
const SETTLE_SECONDS = 2
const CONNECTIONS = 64

export const fair: Scenario = {
  name: 'fair',
  summary: '20 clients of a fair limit, 19 ask for their shares and one for 100 times its own: what the others lose',
  metrics: [
    { name: 'worstLostPercent', title: '% lost by the worst off', digits: 2 },
    { name: 'greedyShares', title: 'shares got by the greedy', digits: 2 },
    { name: 'grantedRatio', title: 'granted/limit', digits: 3 },
  ],
  full: { rounds: 3, seconds: 8 },
  quick: { rounds: 1, seconds: 5 },
  weftOnlyWhenQuick: false,
  takesPart: ({ name }) => name === 'weft',
  measure: async (rig, proxy, seconds) => {
    const running = await rig.start({ ...proxy, template: 'weft-fair.yaml' })
    try {
      const counts = await offer({
        port: Number(running.address.split(':')[1]),
        rate: SHARE * (OTHERS.length + GREED),
        connections: CONNECTIONS,
        turns: turns(),
        request: (client) => ({ path: '/', lines: [`X-Client: ${client}`] }),
        patienceMs: 1_000,
        seconds,
        settleSeconds: SETTLE_SECONDS,
      })
      const granted = [...counts.values()].reduce((all, { served }) => all + served, 0)
      return {
        worstLostPercent: Math.max(...OTHERS.map((name) => lostPercent(counts.get(name)))),
        greedyShares: (counts.get('greedy')?.served ?? 0) / seconds / SHARE,
        grantedRatio: granted / seconds / LIMIT,
      }
    } finally {
      await running.end()
    }
  },
}

/** Each of the others once, spread over the turns of the greedy one. */
function turns(): string[] {
  const every = Math.floor(GREED / OTHERS.length)
  const spread = OTHERS.flatMap((name) => [name, ...Array.from({ length: every }, () => 'greedy')])
  return [...spread, ...Array.from({ length: GREED - every * OTHERS.length }, () => 'greedy')]
}
