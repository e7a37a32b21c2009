import { expect, test } from 'vitest'
import { type Budgets, fails, judge } from './judge.js'
import type { ScenarioResult } from './measure.js'
import { scenarios } from './scenarios/index.js'
import type { Sample } from './scenarios/scenario.js'
import { median } from './statistics.js'

const budgets: Budgets = { 'h1-1k': [{ metric: 'cpuMicros', against: 'nginx', must: 1.2, aim: 0.9 }] }

function result(cpu: Record<string, number[]>, failures: Record<string, string> = {}): ScenarioResult {
  const [scenario] = scenarios
  if (scenario === undefined) throw new Error('there are scenarios')
  const samples = Object.entries(cpu).map(([name, micros]): [string, Sample[]] => [
    name,
    micros.map((cpuMicros) => ({ cpuMicros })),
  ])
  const extent = { rounds: 3, seconds: 1 }
  return {
    scenario,
    extent,
    samples: new Map(samples),
    failures: new Map(Object.entries(failures)),
    foreignCores: 0,
  }
}

function outcome(measured: ScenarioResult): string | undefined {
  return judge(measured, budgets)[0]?.outcome
}

test('a ratio is formed round by round, so that a slow round of the machine does not count', () => {
  const [verdict] = judge(result({ weft: [10, 20, 10.5], nginx: [10, 20, 10] }), budgets)
  expect(verdict).toMatchObject({ proxy: 'weft', value: 1, outcome: 'met' })
})

test.each([
  [9, 'aim met'],
  [9.1, 'met'],
  [12, 'met'],
  [12.1, 'missed'],
])('%d µs against 10 are %s', (micros, expected) => {
  expect(outcome(result({ weft: [micros], nginx: [10] }))).toBe(expected)
})

test('rounds without a figure do not count, and without any round the verdict is unclear', () => {
  expect(outcome(result({ weft: [Number.NaN, 11], nginx: [10, 10] }))).toBe('met')
  expect(outcome(result({ weft: [11, Number.NaN], nginx: [-1, 10] }))).toBe('unclear')
})

test('a failure of ours is a miss, one of the peer is unclear, a peer that took no part is not judged', () => {
  expect(outcome(result({ nginx: [10] }, { weft: 'status 503' }))).toBe('missed')
  expect(outcome(result({ weft: [10] }, { nginx: 'status 503' }))).toBe('unclear')
  expect(outcome(result({ weft: [10] }))).toBeUndefined()
})

test('a budget that does not gate is missed all the same, and fails no run', () => {
  const free: Budgets = { 'h1-1k': [{ metric: 'cpuMicros', against: 'nginx', must: 1.2, aim: 0.9, gates: false }] }
  const measured = result({ weft: [13], nginx: [10] })
  expect([budgets, free].flatMap((these) => judge(measured, these)).map(({ outcome }) => outcome)).toEqual([
    'missed',
    'missed',
  ])
  expect([budgets, free].flatMap((these) => judge(measured, these)).map(fails)).toEqual([true, false])
})

test('a peer is never judged', () => {
  expect(judge(result({ nginx: [10], envoy: [40] }), budgets)).toEqual([])
})

test('the median is that of the numbers', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, Number.NaN, 3, 2])).toBe(2.5)
  expect(median([])).toBeNaN()
})
