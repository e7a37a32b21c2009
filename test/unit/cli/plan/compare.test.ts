/** What changes between two decisions about the same request. */
import { describe, expect, it } from 'vitest'
import { changeOf, compareDecisions, favouring, type Kind } from '../../../../src/cli/plan/compare.js'
import { summary } from '../../../../src/cli/plan/plan-text.js'
import type { DecisionRecord } from '../../../../src/native/index.js'
import type { Decision } from '../../../../src/native/replayed.js'

const to = (cluster: string, route = 'r'): Decision => ({
  type: 'forward',
  route,
  split: [[cluster, 1]],
  takes: cluster,
})
const chance = (...split: [string, number][]): Decision => ({ type: 'forward', route: 'r', split, takes: null })
const answer = (status: number, route = 'r'): Decision => ({ type: 'respond', route, status })
const unroutable: Decision = { type: 'unroutable' }
const refused: Decision = { type: 'refused', status: 431, reason: 'too large' }

function record(given: Partial<DecisionRecord>): DecisionRecord {
  return {
    id: 'a',
    method: 'GET',
    authority: 'reviews',
    path: '/',
    cluster: null,
    route: null,
    status: 200,
    flag: '',
    ...given,
  } as DecisionRecord
}

describe('a change', () => {
  it.each<[string, Decision, Decision, Kind | null]>([
    ['the same cluster', to('a'), to('a'), null],
    ['another cluster', to('a'), to('b'), 'cluster'],
    ['the same cluster by another route', to('a'), to('a', 'q'), 'route'],
    ['the same shares', chance(['a', 9], ['b', 1]), chance(['b', 10], ['a', 90]), null],
    ['a cluster that stands there twice', chance(['a', 2], ['b', 2]), chance(['a', 1], ['b', 2], ['a', 1]), null],
    ['other shares', chance(['a', 9], ['b', 1]), chance(['a', 8], ['b', 2]), 'share'],
    ['another set', chance(['a', 9], ['b', 1]), chance(['a', 9], ['c', 1]), 'cluster'],
    ['a split of one cluster', to('a'), chance(['a', 9], ['b', 1]), 'cluster'],
    ['no route any more', to('a'), unroutable, 'unroutable'],
    ['no listener any more', to('a'), { type: 'no-listener' }, 'unroutable'],
    ['refused', to('a'), refused, 'refused'],
    ['refused as before', refused, refused, null],
    ['unroutable as before', unroutable, unroutable, null],
    ['a cluster for what had no route', unroutable, to('a'), 'cluster'],
    ['an answer instead of a cluster', to('a'), answer(503), 'answer'],
    ['another answer', answer(200), answer(503), 'answer'],
    ['the same answer', answer(200), answer(200), null],
  ])('%s', (_, before, after, kind) => {
    expect(changeOf(before, after)).toBe(kind)
  })
})

it('is counted by kind, the worst first, with examples', () => {
  const records = ['a', 'b', 'c', 'd', 'e'].map((id) => record({ id }))
  const before = records.map(() => to('v1'))
  const after = [to('v1'), to('v2'), to('v2'), unroutable, refused]
  const comparison = compareDecisions(records, before, after)
  expect(summary(comparison)).toBe('of 5 requests: 2 change cluster, 1 would be refused, 1 unroutable')
  expect(
    comparison.groups.map(({ kind, count, from, to, examples }) => [kind, count, from, to, examples.length]),
  ).toEqual([
    ['refused', 1, 'cluster v1', '431 before routing: too large', 1],
    ['unroutable', 1, 'cluster v1', 'no route (404)', 1],
    ['cluster', 2, 'cluster v1', 'cluster v2', 2],
  ])
})

it('is told by the record alone where the configuration in force is not known', () => {
  const served = record({ cluster: 'v1', route: 'r' })
  const split = chance(['v1', 9], ['v2', 1])
  const kinds = (records: DecisionRecord[], after: Decision[]) =>
    compareDecisions(
      records,
      null,
      after.map((decision, at) => favouring(records[at] as DecisionRecord, decision)),
    ).changes
  expect(kinds([served], [split])).toMatchObject({ cluster: 0, share: 0 })
  expect(kinds([served], [to('v2')])).toMatchObject({ cluster: 1 })
  expect(kinds([served], [to('v1 (version v3)')])).toMatchObject({ cluster: 0 })
  expect(kinds([record({ flag: 'NR', status: 404 })], [unroutable])).toMatchObject({ unroutable: 0 })
})
