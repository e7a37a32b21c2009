/** `clusters[].loadBalancer`: how the endpoint of an attempt is chosen. */
import * as z from 'zod'
import { duration } from '../forms/duration.js'
import { words } from '../forms/not-yet.js'
import { percentage } from '../forms/percentage.js'
import { requestKey } from '../forms/request-key.js'

/** The settings of each policy; any other is a mistake. */
const settings = {
  'round-robin': ['slowStart'],
  random: [],
  'least-request': ['choices', 'fullScan', 'activeRequestBias', 'slowStart'],
  'peak-ewma': ['choices', 'decay', 'defaultRtt', 'penalty', 'slowStart'],
  'ring-hash': ['minRing', 'maxRing', 'boundedLoad', 'hashOn'],
  maglev: ['tableSize', 'boundedLoad', 'hashOn'],
} as const

type Policy = keyof typeof settings

const policies = Object.keys(settings) as [Policy, ...Policy[]]

const defaults = {
  choices: 2,
  fullScan: false,
  decay: 10_000,
  defaultRtt: 30,
  penalty: 5_000,
  minRing: 1024,
  maxRing: 8_388_608,
  tableSize: 65_537,
} as const

const slowStart = z
  .strictObject({
    window: duration({ minMs: 1 }).meta({ description: 'Until an endpoint that comes has its whole share' }),
    aggression: z
      .number()
      .min(0.01)
      .max(100)
      .default(1)
      .meta({ description: '1: the share grows evenly; more: sooner; less: later' }),
    minWeightPercent: z
      .number()
      .min(0.01)
      .max(100)
      .default(10)
      .meta({ description: 'What it begins with, of its share' }),
  })
  .meta({
    title: 'slowStart',
    description:
      'For endpoints that come to a cluster that has some already, and for those whose checks succeed again: part = max(minWeightPercent, (time / window)^(1 / aggression)).',
  })

const ring = () => z.int().min(1).max(defaults.maxRing).nullable().default(null)

export const loadBalancer = z
  .strictObject({
    policy: words(policies, []).prefault('round-robin').meta({
      description:
        'In turn; by chance; the least busy, or the one with the least latency × requests under way, of some drawn by chance; by the hash of a key. All keep to weights',
    }),
    choices: z
      .int()
      .min(defaults.choices)
      .max(16)
      .nullable()
      .default(null)
      .meta({
        description: `How many \`least-request\` and \`peak-ewma\` draw and compare; absent: ${defaults.choices}`,
      }),
    fullScan: z
      .boolean()
      .nullable()
      .default(null)
      .meta({ description: '`least-request`: the least busy of all, at the cost of looking at each' }),
    activeRequestBias: z.number().min(0).max(10).nullable().default(null).meta({
      description:
        '`least-request`: chance decides between those drawn, by weight / (requests under way + 1)^bias; 0: by weight alone; absent: the least busy per weight',
    }),
    slowStart: slowStart.nullable().default(null).meta({ description: 'Absent: a whole share at once' }),
    decay: duration({ minMs: 1 }).nullable().default(null).meta({
      description: '`peak-ewma`: time in which a latency that was seen loses all but 1/e of its weight; absent: 10s',
    }),
    defaultRtt: duration({ minMs: 1 })
      .nullable()
      .default(null)
      .meta({ description: '`peak-ewma`: what an endpoint counts as before it was heard of; absent: 30ms' }),
    penalty: duration().nullable().default(null).meta({
      description:
        '`peak-ewma`: what a failure, a 429 and a 5xx count as at least, `retry-after` up to 300s if that is more; absent: 5s',
    }),
    minRing: ring().meta({ description: `\`ring-hash\`: least hashes on the ring; absent: ${defaults.minRing}` }),
    maxRing: ring().meta({ description: `\`ring-hash\`: most hashes on the ring; absent: ${defaults.maxRing}` }),
    tableSize: z
      .int()
      .min(2)
      .max(5_000_011)
      .refine(isPrime, { error: 'must be a prime number, such as 65537' })
      .nullable()
      .default(null)
      .meta({ description: `\`maglev\`: places in the table, a prime number; absent: ${defaults.tableSize}` }),
    boundedLoad: percentage({ min: 100, max: 100_000 })
      .nullable()
      .default(null)
      .meta({ description: 'Most requests under way at an endpoint, of its even share of all; absent: no bound' }),
    hashOn: z.array(requestKey).min(1).max(16).nullable().default(null).meta({
      description: 'Where `ring-hash` and `maglev` take the key: the first that a request has; else by chance',
    }),
  })
  .superRefine((balancer, context) => {
    const { policy, hashOn, minRing, maxRing, fullScan, choices, activeRequestBias } = balancer
    const issue = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message })
    const own: readonly string[] | undefined = settings[policy]
    if (own === undefined) return
    for (const [key, value] of Object.entries(balancer)) {
      if (key === 'policy' || value === null || own.includes(key)) continue
      const owners = policies.filter((other) => (settings[other] as readonly string[]).includes(key))
      issue(key, `belongs to ${owners.join(' and ')}, not to ${policy}`)
    }
    if (own.includes('hashOn') && hashOn === null) issue('hashOn', `${policy} needs to know what of a request to hash`)
    if ((minRing ?? 1) > (maxRing ?? defaults.maxRing)) issue('minRing', 'must not be above `maxRing`')
    if (fullScan === true && choices !== null) issue('choices', 'has no use where `fullScan` compares all')
    if (fullScan === true && activeRequestBias !== null) {
      issue('activeRequestBias', 'has no use where `fullScan` compares all')
    }
  })
  .transform(({ policy, slowStart, activeRequestBias, boundedLoad, hashOn, ...written }) => ({
    policy,
    slowStart,
    activeRequestBias,
    boundedLoad,
    hashOn,
    choices: written.choices ?? defaults.choices,
    fullScan: written.fullScan ?? defaults.fullScan,
    decay: written.decay ?? defaults.decay,
    defaultRtt: written.defaultRtt ?? defaults.defaultRtt,
    penalty: written.penalty ?? defaults.penalty,
    minRing: written.minRing ?? Math.min(defaults.minRing, written.maxRing ?? defaults.maxRing),
    maxRing: written.maxRing ?? defaults.maxRing,
    tableSize: written.tableSize ?? defaults.tableSize,
  }))
  .meta({ title: 'loadBalancer' })

export type ResolvedLoadBalancer = z.output<typeof loadBalancer>

function isPrime(number: number): boolean {
  for (let divisor = 2; divisor * divisor <= number; divisor++) if (number % divisor === 0) return false
  return number > 1
}
