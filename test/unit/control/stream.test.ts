import { describe, expect, it } from 'vitest'
import type { ResourceType } from '../../../src/control/compile/xds/resources.js'
import type { Snapshot } from '../../../src/control/xds/snapshot.js'
import { XdsStream } from '../../../src/control/xds/stream.js'
import type { Refusal } from '../../../src/control/xds/type-state.js'
import { Notes, snapshotOf, subscription } from '../../kit/xds-snapshot.js'

function open({ whole = false } = {}) {
  const notes = new Notes(whole)
  const refused: Refusal[] = []
  let settled = 0
  const stream = new XdsStream(notes, {
    refused: (_, refusals) => refused.push(...refusals),
    settled: () => {
      settled += 1
    },
  })
  const answer = (type: ResourceType, error: string | null = null) =>
    stream.request(subscription(type, { nonce: notes.lastNonce[type] ?? '', error }))
  return { notes, stream, refused, answer, settledCount: () => settled }
}

/** A client that has taken one cluster, its endpoints, a listener and its routes. */
function joined(options = {}) {
  const client = open(options)
  const { stream, answer, notes } = client
  stream.update(
    snapshotOf(1, { clusters: { a: '1' }, endpoints: { a: '1' }, listeners: { l: '1' }, routes: { r: '1' } }),
  )
  stream.request(subscription('clusters', { wildcard: true }))
  stream.request(subscription('endpoints', { subscribe: ['a'] }))
  for (const type of ['clusters', 'endpoints'] as const) answer(type)
  stream.request(subscription('listeners', { wildcard: true }))
  answer('listeners')
  stream.request(subscription('routes', { subscribe: ['r'] }))
  answer('routes')
  expect(notes.take()).toEqual(['clusters a=1', 'endpoints a=1', 'listeners l=1', 'routes r=1'])
  expect(stream.isSettled).toBe(true)
  return client
}

describe.each([{ whole: false }, { whole: true }])('a stream, whole: $whole', ({ whole }) => {
  it('makes before it breaks: a route changes only when its cluster was taken, and the old cluster goes last', () => {
    const { stream, notes, answer } = joined({ whole })
    stream.update(
      snapshotOf(2, { clusters: { b: '1' }, endpoints: { b: '1' }, listeners: { l: '1' }, routes: { r: '2' } }),
    )
    expect(notes.take()).toEqual([whole ? 'clusters a=1 b=1' : 'clusters b=1'])
    stream.request(subscription('endpoints', { subscribe: ['b'] }))
    expect(notes.take()).toEqual(['endpoints b=1'])
    answer('endpoints')
    expect(notes.take()).toEqual([])
    answer('clusters')
    expect(notes.take()).toEqual(['routes r=2'])
    answer('routes')
    expect(notes.take()).toEqual([whole ? 'clusters b=1 -a' : 'clusters -a'])
    answer('clusters')
    stream.request(subscription('endpoints', { unsubscribe: ['a'] }))
    expect(notes.take()).toEqual([])
    expect(stream.isSettled).toBe(true)
  })

  it('takes nothing away before what comes instead was taken, and a cluster only when the listener has gone', () => {
    const { stream, notes, answer } = joined({ whole })
    stream.update(
      snapshotOf(2, { clusters: { b: '1' }, endpoints: { b: '1' }, listeners: { m: '1' }, routes: { r: '2' } }),
    )
    stream.request(subscription('endpoints', { subscribe: ['b'] }))
    expect(notes.take()).toEqual([whole ? 'clusters a=1 b=1' : 'clusters b=1', 'endpoints b=1'])
    answer('clusters')
    expect(notes.take()).toEqual([])
    answer('endpoints')
    expect(notes.take()).toEqual([whole ? 'listeners l=1 m=1' : 'listeners m=1', 'routes r=2'])
    answer('listeners')
    expect(notes.take()).toEqual([])
    answer('routes')
    expect(notes.take()).toEqual([whole ? 'listeners m=1 -l' : 'listeners -l'])
    answer('listeners')
    expect(notes.take()).toEqual([whole ? 'clusters b=1 -a' : 'clusters -a'])
  })

  it('sends a filter that names another cluster when that was taken, and takes the old one away after it', () => {
    const { stream, notes, answer } = open({ whole })
    const listeners = { l: '1' }
    stream.update(snapshotOf(1, { clusters: { a: '1' }, endpoints: { a: '1' }, filters: { f: '1' }, listeners }))
    stream.request(subscription('clusters', { wildcard: true }))
    stream.request(subscription('endpoints', { subscribe: ['a'] }))
    for (const type of ['clusters', 'endpoints'] as const) answer(type)
    stream.request(subscription('listeners', { wildcard: true }))
    stream.request(subscription('filters', { subscribe: ['f'] }))
    for (const type of ['listeners', 'filters'] as const) answer(type)
    expect(notes.take()).toEqual(['clusters a=1', 'endpoints a=1', 'listeners l=1', 'filters f=1'])

    stream.update(snapshotOf(2, { clusters: { b: '1' }, endpoints: { b: '1' }, filters: { f: '2' }, listeners }))
    stream.request(subscription('endpoints', { subscribe: ['b'] }))
    answer('endpoints')
    expect(notes.take()).toEqual([whole ? 'clusters a=1 b=1' : 'clusters b=1', 'endpoints b=1'])
    answer('clusters')
    expect(notes.take()).toEqual(['filters f=2'])
    expect(stream.isSettled).toBe(false)
    answer('filters')
    expect(notes.take()).toEqual([whole ? 'clusters b=1 -a' : 'clusters -a'])
  })

  it('lets a client that names its clusters keep one until it lets go of it', () => {
    const { stream, notes, answer } = open({ whole })
    stream.update(snapshotOf(1, { clusters: { a: '1' }, routes: { r: '1' } }))
    stream.request(subscription('routes', { subscribe: ['r'] }))
    answer('routes')
    stream.request(subscription('clusters', { subscribe: ['a'] }))
    answer('clusters')
    notes.take()
    stream.update(snapshotOf(2, { clusters: { b: '1' }, routes: { r: '2' } }))
    answer('routes')
    expect(notes.take()).toEqual(['routes r=2'])
    expect(stream.isSettled).toBe(true)
    stream.request(subscription('clusters', { subscribe: ['b'] }))
    expect(notes.take()).toEqual([whole ? 'clusters a=1 b=1' : 'clusters b=1'])
    answer('clusters')
    stream.request(subscription('clusters', { unsubscribe: ['a'] }))
    expect(notes.take()).toEqual([])
    expect(stream.isSettled).toBe(true)
  })

  it('is not done before the client has asked for what it was told of', () => {
    const { stream, answer } = joined({ whole })
    stream.update(
      snapshotOf(2, {
        clusters: { a: '1', b: '1' },
        endpoints: { a: '1', b: '1' },
        listeners: { l: '1' },
        routes: { r: '1' },
      }),
    )
    answer('clusters')
    expect(stream.isSettled).toBe(false)
    stream.request(subscription('endpoints', { subscribe: ['b'] }))
    expect(stream.isSettled).toBe(false)
    answer('endpoints')
    expect(stream.isSettled).toBe(true)
  })

  it('has answered for the last state while the next one is under way', () => {
    const { stream, answer } = joined({ whole })
    stream.update(snapshotOf(2, { clusters: { a: '1' }, listeners: { l: '1' }, routes: { r: '2' } }))
    expect([stream.isSettled, stream.answeredRevision]).toEqual([false, 1])
    answer('routes')
    expect(stream.answeredRevision).toBe(2)
  })

  it('does not wait for what a newer state names no more', () => {
    const { stream, answer } = joined({ whole })
    const others = { listeners: { l: '1' }, routes: { r: '1' } }
    stream.update(snapshotOf(2, { ...others, clusters: { a: '1', b: '1' }, endpoints: { a: '1', b: '1' } }))
    answer('clusters')
    stream.update(snapshotOf(3, { ...others, clusters: { a: '1' }, endpoints: { a: '1' } }))
    answer('clusters')
    expect(stream.isSettled).toBe(true)
  })

  it('sends the endpoints of a cluster again after each change of the cluster', () => {
    const { stream, notes } = joined({ whole })
    stream.update(
      snapshotOf(2, { clusters: { a: '2' }, endpoints: { a: '1' }, listeners: { l: '1' }, routes: { r: '1' } }),
    )
    expect(notes.take()).toEqual(['clusters a=2', 'endpoints a=1'])
  })

  it('keeps the last good version of what was refused, sends the rest, and tries again only what changed', () => {
    const { stream, notes, answer, refused } = joined({ whole })
    const others = { endpoints: { a: '1' }, listeners: { l: '1' }, routes: { r: '1' } }
    stream.update(snapshotOf(2, { ...others, clusters: { a: 'bad', b: '1' } }))
    expect(notes.take()[0]).toBe('clusters a=bad b=1')
    answer('clusters', 'cluster a is malformed')
    expect(
      refused.map(({ resource: { name }, version, lastGood }) => ({ name, version, lastGood: lastGood?.version })),
    ).toEqual([{ name: 'a', version: 'bad', lastGood: '1' }])
    expect(notes.take()).toEqual([whole ? 'clusters a=1 b=1' : 'clusters b=1'])
    answer('clusters')
    answer('endpoints')
    expect(stream.isSettled).toBe(true)
    expect(stream.refusals()).toHaveLength(1)
    stream.update(snapshotOf(3, { ...others, clusters: { a: 'mended', b: '1' } }))
    expect(notes.take()[0]).toBe(whole ? 'clusters a=mended b=1' : 'clusters a=mended')
    expect(stream.refusals()).toEqual([])
  })

  it('blames all that a response changed where the complaint names none of it', () => {
    const { stream, answer, refused } = joined({ whole })
    stream.update(
      snapshotOf(2, { clusters: { a: '2', b: '1' }, endpoints: { a: '1' }, listeners: { l: '1' }, routes: { r: '1' } }),
    )
    answer('clusters', 'something is wrong')
    expect(refused.map(({ resource }) => resource.name).sort()).toEqual(['a', 'b'])
  })

  it('does not say again what went away when the client refuses even that', () => {
    const { stream, notes, answer, refused } = joined({ whole })
    stream.update(snapshotOf(2, { clusters: {}, endpoints: {}, listeners: { l: '1' }, routes: { r: '1' } }))
    expect(notes.take()).toEqual(['clusters -a'])
    answer('clusters', 'no')
    expect(notes.take()).toEqual([])
    expect(refused).toEqual([])
    expect(stream.isSettled).toBe(true)
  })

  it('sends nothing to a client that does not read, and then only the latest', () => {
    const { stream, notes } = joined({ whole })
    stream.setWritable(false)
    for (let revision = 2; revision < 50; revision += 1)
      stream.update(
        snapshotOf(revision, {
          clusters: { a: '1' },
          endpoints: { a: String(revision) },
          listeners: { l: '1' },
          routes: { r: '1' },
        }),
      )
    expect(notes.take()).toEqual([])
    stream.setWritable(true)
    expect(notes.take()).toEqual(['endpoints a=49'])
  })

  it('has one response of a type open at a time', () => {
    const { stream, notes, answer } = joined({ whole })
    const others = { clusters: { a: '1' }, listeners: { l: '1' }, routes: { r: '1' } }
    for (const version of ['2', '3', '4'])
      stream.update(snapshotOf(Number(version), { ...others, endpoints: { a: version } }))
    expect(notes.take()).toEqual(['endpoints a=2'])
    answer('endpoints')
    expect(notes.take()).toEqual(['endpoints a=4'])
  })

  it('takes an answer with a nonce of before for none', () => {
    const { stream, notes } = joined({ whole })
    const others = { clusters: { a: '1' }, listeners: { l: '1' }, routes: { r: '1' } }
    stream.update(snapshotOf(2, { ...others, endpoints: { a: '2' } }))
    stream.request(subscription('endpoints', { nonce: '1', error: 'of long ago' }))
    expect(stream.isSettled).toBe(false)
    expect(stream.staleAnswers).toBe(1)
    expect(notes.take()).toEqual(['endpoints a=2'])
  })

  it('answers a client that asks for everything even when there is nothing', () => {
    const { stream, notes } = open({ whole })
    stream.update(snapshotOf(1, {}))
    stream.request(subscription('clusters', { wildcard: true }))
    expect(notes.take()).toEqual(['clusters'])
  })

  it('sends what comes into being after it was asked for', () => {
    const { stream, notes, answer } = joined({ whole })
    stream.request(subscription('routes', { subscribe: ['later'] }))
    if (!whole) expect(notes.take()).toEqual(['routes -later'])
    answer('routes')
    stream.update(
      snapshotOf(2, {
        clusters: { a: '1' },
        endpoints: { a: '1' },
        listeners: { l: '1' },
        routes: { r: '1', later: '1' },
      }),
    )
    expect(notes.take()).toEqual(['routes later=1'])
  })
})

describe('a delta stream that comes back', () => {
  it('is sent what changed meanwhile and told what is gone', () => {
    const { stream, notes } = open()
    stream.update(snapshotOf(9, { clusters: { kept: '1', changed: '2', fresh: '1' } }))
    stream.request(
      subscription('clusters', {
        wildcard: true,
        initial: new Map(Object.entries({ kept: '1', changed: '1', gone: '1' })),
      }),
    )
    const [updates, ...rest] = notes.take()
    expect(updates?.split(' ').sort()).toEqual(['changed=2', 'clusters', 'fresh=1'])
    expect(rest).toEqual([])
    stream.request(subscription('clusters', { nonce: '1' }))
    expect(notes.take()).toEqual(['clusters -gone'])
  })

  it('does not get again by name what it says it has', () => {
    const { stream, notes } = open()
    stream.update(snapshotOf(9, { endpoints: { a: '1', b: '2' } }))
    stream.request(
      subscription('endpoints', { subscribe: ['a', 'b'], initial: new Map(Object.entries({ a: '1', b: '1' })) }),
    )
    expect(notes.take()).toEqual(['endpoints b=2'])
  })

  it('gets again what it asks for again', () => {
    const { stream, notes } = joined()
    stream.request(subscription('endpoints', { subscribe: ['a'] }))
    expect(notes.take()).toEqual(['endpoints a=1'])
  })
})

describe('streams with one view', () => {
  const versions = { clusters: { a: '1', b: '1' }, endpoints: { a: '1', b: '1' } }

  function joinedTo(snapshot: Snapshot) {
    const client = open()
    client.stream.update(snapshot)
    client.stream.request(subscription('clusters', { wildcard: true }))
    client.stream.request(subscription('endpoints', { subscribe: ['b', 'a'] }))
    return client
  }

  it('are sent the same parts, and what one of them refuses is nothing to the other', () => {
    const snapshot = snapshotOf(1, versions)
    const [one, other] = [joinedTo(snapshot), joinedTo(snapshot)]
    const { clusters, endpoints } = snapshot.parts
    for (const { notes } of [one, other]) {
      expect(notes.parts).toEqual([...clusters, ...endpoints])
      for (const [index, part] of notes.parts.entries()) expect(part).toBe([...clusters, ...endpoints][index])
    }
    for (const type of ['clusters', 'endpoints'] as const) other.answer(type)
    one.answer('clusters', 'cluster a is bad')
    one.answer('clusters')
    // Twice: with the cluster that was not to blame its endpoints came again.
    one.answer('endpoints')
    one.answer('endpoints')
    expect(one.refused.map(({ resource }) => resource.name)).toEqual(['a'])
    expect([one, other].map(({ stream }) => stream.refusals().length)).toEqual([1, 0])
    for (const { notes, stream } of [one, other]) {
      notes.take()
      stream.update(snapshotOf(2, { ...versions, clusters: { a: '1', b: '2' } }))
      expect(notes.take()).toEqual(['clusters b=2', 'endpoints b=1'])
    }
    expect(clusters[0]?.get('b')?.version).toBe('1')
  })

  it('are settled when each has answered, and wait for what each has not asked for', () => {
    const snapshot = snapshotOf(1, { ...versions, endpoints: { a: '1', b: '1', c: '1' } })
    const [some, all] = ['a', 'ab'].map((names) => {
      const client = open()
      client.stream.update(snapshot)
      client.stream.request(subscription('clusters', { wildcard: true }))
      client.stream.request(subscription('endpoints', { subscribe: [...names] }))
      client.answer('clusters')
      client.answer('endpoints')
      return client.stream
    })
    expect([some?.isSettled, all?.isSettled]).toEqual([false, true])
    some?.request(subscription('endpoints', { subscribe: ['b'] }))
    some?.request(subscription('endpoints', { nonce: '3' }))
    expect(some?.isSettled).toBe(true)
  })

  it('get the newest state once, when it comes while the first one waits to be sent', () => {
    const { stream, notes, answer } = open()
    stream.update(snapshotOf(1, { clusters: { a: '1' }, listeners: { l: '1', m: '1' } }))
    stream.request(subscription('clusters', { wildcard: true }))
    stream.request(subscription('listeners', { wildcard: true }))
    stream.update(snapshotOf(2, { clusters: { a: '1' }, listeners: { l: '2', n: '1' } }))
    expect(notes.take()).toEqual(['clusters a=1'])
    answer('clusters')
    expect(notes.take()).toEqual(['listeners l=2 n=1'])
  })

  it('that come back are told what changed, came and went of a whole that they named', () => {
    const { stream, notes } = open()
    stream.update(snapshotOf(9, { clusters: { same: '1', changed: '2', fresh: '1' } }))
    const initial = new Map(Object.entries({ same: '1', changed: '1' }))
    stream.request(subscription('clusters', { subscribe: ['changed', 'fresh', 'same', 'nowhere'], initial }))
    expect(notes.take()).toEqual(['clusters changed=2 fresh=1 -nowhere'])
    stream.request(subscription('clusters', { nonce: '1' }))
    expect(stream.isSettled).toBe(true)
    stream.request(subscription('clusters', { unsubscribe: ['same'] }))
    stream.update(snapshotOf(10, { clusters: { same: '2', changed: '2', fresh: '2' } }))
    expect(notes.take()).toEqual(['clusters fresh=2'])
  })
})
