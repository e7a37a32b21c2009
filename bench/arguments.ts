/** The command line of the benchmark. */
import { parseArgs } from 'node:util'
import { DEFAULT_WEFT } from './proxies.js'
import { scenarios } from './scenarios/index.js'

export const USAGE = `usage: npm run bench -- [options]
  --quick             at most five minutes: fewer and shorter rounds
  --scenario NAME     only this one (may be repeated): ${scenarios.map(({ name }) => name).join(', ')}
  --proxies A,B       only these: weft, weft-agent, nginx, haproxy, envoy
  --rounds N          rounds per scenario
  --seconds S         seconds per measurement
  --priority N        nice value of this session against all others, -20 to 19; below 0 needs root
  --weft CMD          how to start Weft; CONFIG stands for its configuration (default: ${DEFAULT_WEFT})
  --weft-agent FILE   measure the engine without Node, too
  --json FILE         where the samples go (default: bench/results/DATE.json)
  --readme            rewrite the tables between the markers in README.md and bench/README.md`

export interface Options {
  readonly quick: boolean
  readonly scenarios: readonly string[] | null
  readonly proxies: readonly string[] | null
  readonly rounds: number | null
  readonly seconds: number | null
  readonly priority: number | null
  readonly weft: string
  readonly weftAgent: string | null
  readonly json: string | null
  readonly readme: boolean
}

/** Throws with a sentence about what is wrong. */
export function parseOptions(words: string[]): Options {
  const { values } = parseArgs({
    args: words,
    options: {
      quick: { type: 'boolean', default: false },
      scenario: { type: 'string', multiple: true },
      proxies: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      priority: { type: 'string' },
      weft: { type: 'string', default: DEFAULT_WEFT },
      'weft-agent': { type: 'string' },
      json: { type: 'string' },
      readme: { type: 'boolean', default: false },
    },
  })
  for (const name of values.scenario ?? []) {
    if (!scenarios.some((scenario) => scenario.name === name)) throw new Error(`there is no scenario ${name}`)
  }
  return {
    quick: values.quick,
    scenarios: values.scenario ?? null,
    proxies: values.proxies?.split(',') ?? null,
    rounds: within('rounds', values.rounds, 1, 1000),
    seconds: within('seconds', values.seconds, 0.1, 3600),
    priority: within('priority', values.priority, -20, 19),
    weft: values.weft,
    weftAgent: values['weft-agent'] ?? null,
    json: values.json ?? null,
    readme: values.readme,
  }
}

function within(name: string, text: string | undefined, least: number, most: number): number | null {
  if (text === undefined) return null
  const value = Number(text)
  if (value >= least && value <= most) return value
  throw new Error(`--${name} must be within ${least} and ${most}`)
}
