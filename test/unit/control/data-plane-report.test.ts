import { expect, it } from 'vitest'
import type { DataPlane, DataPlanes, Verdict } from '../../../src/control/data-planes/data-planes.js'
import { readReport, writeReport } from '../../../src/control/data-planes/report.js'
import { shareDataPlanes } from '../../../src/control/data-planes/shared.js'
import type { Replicas } from '../../../src/control/store/replicas.js'
import type { Value } from '../../../src/control/store/store.js'

const refusal = { resource: 'HTTPRoute.x/default/bad', path: 'spec.rules[0]', message: 'missing ]' }

function plane(node: string, more: Partial<DataPlane> = {}): DataPlane {
  const who = { node, kind: 'envoy', namespace: 'default', service: 's', replica: null, connectedAtMs: 7 }
  return { ...who, sentRevision: 9, ackedRevision: 9, staleMs: 0, lastRefusal: null, description: null, ...more }
}

/** `faulty`: refuses whatever comes. */
function planesOf(list: DataPlane[], refusing: string[] = [], faulty: string[] = []): DataPlanes {
  const verdictOf = ({ node, ackedRevision }: DataPlane, revision: number): Verdict => {
    const refusals = [...refusing, ...faulty].includes(node) ? [refusal] : []
    const pending = ackedRevision < revision && !faulty.includes(node)
    return { node, state: pending ? 'pending' : refusals.length > 0 ? 'refused' : 'applied', refusals }
  }
  return {
    list: () => list,
    reached: () => [],
    verdicts: (revision) => list.map((one) => verdictOf(one, revision)),
    onChange: () => () => {},
  }
}

function described(id: string, labels: Record<string, string>): DataPlane {
  const who = { id, plane: 'envoy', role: 'sidecar', namespace: 'default', service: 's', account: 'a' } as const
  const place = { region: 'r', zone: 'z', zoneAware: true, inbound: null, app: null, hosts: 'all' } as const
  return plane(id, { description: { ...who, labels, ...place, outbound: '127.0.0.1:1' } })
}

const said = (parts: Map<string, Value | null>) =>
  new Map([...parts].flatMap(([part, value]) => (value === null ? [] : [[part, value] as const])))

const nowMs = 1_000_000

it('is read as it was written', () => {
  const last = { ...refusal, revision: 8, atMs: 5 }
  const list = [
    plane('a'),
    plane('b', { lastRefusal: last }),
    plane('c', { ackedRevision: 8, staleMs: 300 }),
    plane('d', { ackedRevision: 0, staleMs: 90_000 }),
  ]
  const read = readReport('two', said(writeReport(planesOf(list, ['b'], ['d']), nowMs)), nowMs)
  const byNode = new Map(read.map((one) => [one.plane.node, one]))
  for (const one of list) expect(byNode.get(one.node)?.plane).toEqual({ ...one, replica: 'two' })
  expect(
    read
      .filter(({ refusals }) => refusals.length > 0)
      .map((one) => [one.plane.node, one.holds])
      .sort(),
  ).toEqual([
    ['b', false],
    ['d', true],
  ])
})

it('tells all that decides what reaches a data plane, unless its labels are too long for the others', () => {
  const list = [described('a', { version: 'v1' }), described('b', { long: 'x'.repeat(5_000) })]
  const read = readReport('two', said(writeReport(planesOf(list), nowMs)), nowMs)
  const byNode = new Map(read.map(({ plane: one }) => [one.node, one.description]))
  expect(byNode).toEqual(
    new Map([
      ['a', list[0]?.description],
      ['b', null],
    ]),
  )
})

it('lists who is described in words that are not known here', () => {
  const parts = said(writeReport(planesOf([described('a', {})]), nowMs))
  const odd = new Map(
    [...parts].map(([part, value]) => [part, JSON.parse(JSON.stringify(value).replace('sidecar', 'x'))]),
  )
  expect(readReport('two', odd, nowMs).map(({ plane: one }) => [one.node, one.description])).toEqual([['a', null]])
})

it('is small however many have taken or refused the same, and changes in one part when one of them comes', () => {
  const many = Array.from({ length: 1_000 }, (_, index) =>
    plane(`envoy-${index}`, { lastRefusal: { ...refusal, revision: 8, atMs: index } }),
  )
  const nodes = many.map(({ node }) => node)
  const before = writeReport(planesOf(many, nodes), nowMs)
  expect(JSON.stringify(before.get('progress')).length).toBeLessThan(30_000)
  expect(
    JSON.stringify(writeReport(planesOf(many.map((one) => ({ ...one, lastRefusal: null }))), nowMs).get('progress'))
      .length,
  ).toBeLessThan(150)
  const after = writeReport(
    planesOf([...many, plane('late', { lastRefusal: many[0]?.lastRefusal ?? null })], nodes),
    nowMs,
  )
  const changed = [...after].filter(([part, value]) => JSON.stringify(value) !== JSON.stringify(before.get(part)))
  expect(changed.map(([part]) => part.replace(/\d+/, 'N')).sort()).toEqual(['members-N', 'progress'])
})

it('is as good as not said when it does not look like one', () => {
  const good = said(writeReport(planesOf([plane('a')]), nowMs))
  expect(readReport('two', new Map([...good, ['progress', { groups: 7 }]]), nowMs)).toEqual([])
  const odd = new Map([...good].map(([part, value]) => [part, part === 'progress' ? value : { members: 'x' }]))
  expect(readReport('two', odd, nowMs)).toEqual([])
})

it('gives verdicts of the others: pending until they have answered, unless nothing will be answered', () => {
  const others = planesOf(
    [plane('a'), plane('b', { ackedRevision: 8 }), plane('c', { ackedRevision: 0 })],
    ['a'],
    ['c'],
  )
  const told = new Map([['two', said(writeReport(others, nowMs))]])
  const replicas: Replicas = { id: 'one', tell: () => {}, told: () => told, onTold: () => () => {} }
  const shared = shareDataPlanes(planesOf([plane('own')]), replicas, (revision) => Math.min(revision, 9))
  try {
    const states = Object.fromEntries(shared.verdicts(10).map(({ node, state }) => [node, state]))
    expect(states).toEqual({ own: 'pending', a: 'refused', b: 'pending', c: 'refused' })
    expect(
      shared
        .list()
        .map(({ node, replica }) => `${node} ${replica}`)
        .sort(),
    ).toEqual(['a two', 'b two', 'c two', 'own one'])
  } finally {
    shared.close()
  }
})
