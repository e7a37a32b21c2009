/** What statistics say about a configuration. */
import { describe, expect, it } from 'vitest'
import { patchOf } from '../../../../src/cli/suggest/patch.js'
import { type InForce, type Suggestion, suggestionsOf } from '../../../../src/cli/suggest/suggestions.js'
import type { AtOnce, ClusterStats, EndpointStats } from '../../../../src/native/index.js'
import { clusterOf } from '../../../kit/stats.js'

function cluster(...endpoints: Partial<EndpointStats>[]): ClusterStats {
  return clusterOf('app', endpoints)
}

function config(
  given: { firstByteTimeout?: number; idleTimeout?: number | 'learned'; maxRequests?: number } = {},
): InForce {
  const { firstByteTimeout = 15_000, idleTimeout = 'learned', maxRequests = null } = given
  return {
    routes: [{ name: 'all', forward: [{ cluster: 'app' }], firstByteTimeout }],
    clusters: [{ name: 'app', keepAlive: { idleTimeout }, circuitBreaker: { maxRequests } }],
  }
}

function about(key: string, stats: ClusterStats, inForce: InForce): Suggestion {
  const found = suggestionsOf([stats], inForce).find((one) => one.key.at(-1) === key)
  if (found === undefined) throw new Error(`nothing about ${key}`)
  return found
}

describe('the first byte', () => {
  const measured = (count: number) =>
    cluster({
      requests: count,
      latency: [
        [2_000, count - 2],
        [180_000, 2],
      ],
    })

  it('gets twice its p99.9, over all endpoints of the route', () => {
    const said = about('firstByteTimeout', measured(2_000), config())
    expect(said).toMatchObject({ configured: '15s', suggested: '100ms', samples: 2_000 })
    const slow = cluster({ requests: 1_000, latency: [[2_000, 1_000]] }, { requests: 10, latency: [[180_000, 10]] })
    expect(about('firstByteTimeout', slow, config())).toMatchObject({ suggested: '360ms', samples: 1_010 })
    expect(about('firstByteTimeout', slow, config()).reason).toContain('180 ms over 1010 answers of cluster app')
  })

  it('is left alone when it fits, when little is known and when the slowest were never measured', () => {
    expect(about('firstByteTimeout', measured(2_000), config({ firstByteTimeout: 100 })).suggested).toBeNull()
    const few = about('firstByteTimeout', measured(999), config())
    expect(few.suggested).toBeNull()
    expect(few.reason).toBe('too little is known: 999 answers of cluster app, 1000 are needed')
    const failing = about(
      'firstByteTimeout',
      cluster({ requests: 2_000, failures: 3, latency: [[2_000, 1_997]] }),
      config(),
    )
    expect(failing.suggested).toBeNull()
    expect(failing.reason).toMatch(/^its p99\.9 is not known: 3 of 2000 attempts/)
  })
})

describe('the idle age', () => {
  it('is four fifths of the shortest that was seen', () => {
    const seen = cluster({ closesIdleAfterMs: 5_000 }, { closesIdleAfterMs: 10_000 }, {})
    const said = about('idleTimeout', seen, config({ idleTimeout: 60_000 }))
    expect(said).toMatchObject({ configured: '60s', suggested: '4s', samples: 2 })
    expect(said.reason).toBe(
      'a reused connection may be closed already: idle connections are closed after 5 s (2 of 3 endpoints seen)',
    )
    expect(about('idleTimeout', seen, config({ idleTimeout: 500 })).suggested).toBe('4s')
    expect(about('idleTimeout', seen, config({ idleTimeout: 3_900 })).suggested).toBeNull()
    expect(about('idleTimeout', seen, config()).reason).toMatch(/^fits, 4 s now/)
    expect(about('idleTimeout', cluster({}), config()).reason).toMatch(/^too little is known/)
  })
})

describe('safe concurrency', () => {
  const at = (most: number, meanUs: number, failures = 0, answers = 100): AtOnce => ({
    most,
    answers,
    failures,
    meanUs,
  })

  it('is what an endpoint took before it became twice as slow, for each healthy endpoint', () => {
    const concurrency = [at(1, 1_000), at(2, 1_100), at(4, 1_300), at(8, 1_900), at(16, 4_000), at(32, 9_000)]
    const said = about('maxRequests', cluster({ concurrency }, { concurrency }, { healthy: false }), config())
    expect(said).toMatchObject({ configured: 'no bound', suggested: '16', samples: 1_200 })
    expect(said.reason).toBe(
      'with 8 at once an endpoint takes 1.9 ms on average, with 16 it takes 4 ms; for all healthy endpoints together',
    )
  })

  it('ends where failures begin', () => {
    const concurrency = [at(1, 1_000), at(2, 1_000), at(4, 900, 5)]
    const said = about('maxRequests', cluster({ concurrency }), config({ maxRequests: 100 }))
    expect(said).toMatchObject({ configured: '100', suggested: '2' })
    expect(said.reason).toContain('with 4 it fails 5 %')
  })

  it('is not told without a limit that was met, nor of few answers', () => {
    const open = about('maxRequests', cluster({ concurrency: [at(1, 1_000), at(64, 1_900)] }), config())
    expect([open.suggested, open.reason.slice(0, 35)]).toEqual([null, 'no limit was met: as fast with 64 a'])
    const few = about('maxRequests', cluster({ concurrency: [at(1, 1_000, 0, 49)] }), config())
    expect([few.suggested, few.reason.slice(0, 19)]).toEqual([null, 'too little is known'])
    const broken = about('maxRequests', cluster({ concurrency: [at(1, 1_000, 50)] }), config())
    expect(broken.suggested).toBeNull()
  })
})

it('becomes a patch that names what was and why', () => {
  const stats = cluster({ requests: 1_000, latency: [[180_000, 1_000]], closesIdleAfterMs: 5_000 })
  const suggestions = suggestionsOf([stats], config({ idleTimeout: 60_000 }))
  expect(patchOf(suggestions)).toBe(`routes:
  - name: all
    # was 15s; twice what was seen: p99.9 of the first byte is 180 ms over 1000 answers of cluster app
    firstByteTimeout: 360ms
clusters:
  - name: app
    # was 60s; a reused connection may be closed already: idle connections are closed after 5 s (1 of 1 endpoints seen)
    keepAlive: { idleTimeout: 4s }
`)
  expect(patchOf(suggestionsOf([cluster({})], config()))).toBe('')
})
