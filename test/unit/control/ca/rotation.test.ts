import { describe, expect, it } from 'vitest'
import { RootsFollowers, type RootsTold } from '../../../../src/control/ca/roots-followers.js'
import { nextStep } from '../../../../src/control/ca/rotation.js'
import type { Replicas } from '../../../../src/control/store/replicas.js'
import type { Value } from '../../../../src/control/store/store.js'

const one = (state: 'adding' | 'issuing' | 'retiring', sinceMs: number, untilMs: number | null = null) => {
  return { id: state, state, sinceMs, untilMs }
}
const ready = { nowMs: 100_000, settleMs: 60_000, waiting: [] }

describe('the next step of a rotation', () => {
  it('is none while one authority issues', () => {
    expect(nextStep([one('issuing', 0)], ready)).toEqual({ do: 'nothing' })
  })

  it('waits until everybody has taken the new root and readers of files had their time', () => {
    const both = [one('issuing', 0), one('adding', 50_000)]
    expect(nextStep(both, { ...ready, waiting: ['a', 'b'] })).toEqual({
      do: 'wait',
      why: 'the new root is not taken yet by a, b',
    })
    expect(nextStep(both, ready)).toEqual({
      do: 'wait',
      why: 'the new root is trusted, readers of files get 10 s more',
    })
    expect(nextStep(both, { ...ready, nowMs: 110_000 })).toEqual({ do: 'switch' })
    expect(nextStep(both, { ...ready, nowMs: 999_000, waiting: ['late'] })).toMatchObject({ do: 'wait' })
  })

  it('drops the old root when its last certificate has ended, and no sooner', () => {
    const both = [one('retiring', 0, 200_000), one('issuing', 50_000)]
    expect(nextStep(both, ready)).toMatchObject({ do: 'wait', why: expect.stringContaining('last until') })
    expect(nextStep(both, { ...ready, nowMs: 200_000 })).toEqual({ do: 'drop', id: 'retiring' })
  })
})

describe('who has the roots', () => {
  const start = (replicas: Replicas | null = null) => {
    const state = { roots: 'one', nowMs: 0, dataPlanes: [] as { node: string; taken: boolean }[] }
    const followers = new RootsFollowers({
      current: () => ({ roots: state.roots, revoked: '' }),
      ...{ dataPlanes: () => state.dataPlanes, leafMs: 1_000, nowMs: () => state.nowMs, replicas },
    })
    return { state, followers }
  }

  it('is known by what each says, and one that does not read is told the latest when it does', () => {
    const { state, followers } = start()
    const told: RootsTold[] = []
    let full = false
    const stream = followers.follow('reader', (one) => !full && told.push(one) > 0)
    expect(followers.waiting()).toEqual(['reader'])
    stream.taken(told[0]?.version ?? '')
    expect(followers.waiting()).toEqual([])
    full = true
    state.roots = 'two'
    followers.tell()
    state.roots = 'three'
    followers.tell()
    expect([told.length, followers.waiting()]).toEqual([1, ['reader']])
    full = false
    stream.drained()
    expect(told.map(({ roots }) => roots)).toEqual(['one', 'three'])
    stream.taken(told[0]?.version ?? '')
    expect(followers.waiting()).toEqual(['reader'])
    stream.taken(told[1]?.version ?? '')
    expect(followers.waiting()).toEqual([])
  })

  it('is known of other replicas as well, once they have heard of the roots', () => {
    const heard = new Map<string, Map<string, Value>>()
    const replica = (id: string): Replicas => ({
      id,
      tell: (part, value) => void (value !== null && heard.set(id, new Map([[part, value]]))),
      told: () => new Map([...heard].filter(([other]) => other !== id)),
      onTold: () => () => {},
    })
    const [one, two] = [start(replica('one')), start(replica('two'))]
    two.state.dataPlanes = [{ node: 'envoy-2', taken: true }]
    two.followers.report()
    expect(one.followers.waiting()).toEqual([])
    one.state.roots = 'two'
    expect(one.followers.waiting()).toEqual(['replica two'])
    two.state.roots = 'two'
    two.state.dataPlanes = [{ node: 'envoy-2', taken: false }]
    two.followers.report()
    expect(one.followers.waiting()).toEqual(['envoy-2'])
    one.state.dataPlanes = [{ node: 'envoy-2', taken: true }]
    two.state.dataPlanes = []
    two.followers.report()
    expect(one.followers.waiting()).toEqual([])
    one.state.dataPlanes = []
    one.state.nowMs = 900
    expect(one.followers.waiting()).toEqual(['envoy-2 (away)'])
  })

  it('counts who is away as waiting, for as long as its certificate may last', () => {
    const { state, followers } = start()
    state.dataPlanes = [{ node: 'envoy-1', taken: true }]
    expect(followers.waiting()).toEqual([])
    state.dataPlanes = []
    state.nowMs = 900
    expect(followers.waiting()).toEqual(['envoy-1 (away)'])
    state.nowMs = 1_100
    expect(followers.waiting()).toEqual([])
  })
})
