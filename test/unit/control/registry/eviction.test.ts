import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decideEviction, type Lease } from '../../../../src/control/registry/eviction.js'

function leases(service: string, living: number, silent: number): Lease[] {
  return Array.from({ length: living + silent }, (_, n) => ({
    key: `${service}/${n}`,
    service,
    expiresMs: n < living ? 200 : 50 + n,
  }))
}

describe('eviction', () => {
  it('takes who is silent while most are heard of', () => {
    expect(decideEviction([...leases('a', 17, 3)], 100)).toEqual({
      evicted: ['a/17', 'a/18', 'a/19'],
      stale: [],
      held: null,
    })
  })

  it('takes nobody when more than 15 % are silent at once, and marks them', () => {
    const { evicted, stale, held } = decideEviction(leases('a', 16, 4), 100)
    expect([evicted, stale.length, held]).toEqual([[], 4, { silent: 4, allowed: 3 }])
  })

  it('may take one of few', () => {
    expect(decideEviction(leases('a', 2, 1), 100).evicted).toEqual(['a/2'])
    expect(decideEviction(leases('a', 1, 2), 100)).toMatchObject({ evicted: [], held: { silent: 2, allowed: 1 } })
  })

  it('leaves the one of a service that was heard of last', () => {
    expect(decideEviction([...leases('a', 20, 0), ...leases('b', 0, 2)], 100)).toEqual({
      evicted: ['b/0'],
      stale: ['b/1'],
      held: null,
    })
  })

  it('never empties a service, takes nobody that is heard of, and never more than 15 %, rounded up', () => {
    const services = fc.array(fc.record({ living: fc.nat(6), silent: fc.nat(6) }), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(services, (list) => {
        const all = list.flatMap(({ living, silent }, n) => leases(`s${n}`, living, silent))
        const { evicted, stale } = decideEviction(all, 100)
        for (const { service } of all) {
          expect(all.some((lease) => lease.service === service && !evicted.includes(lease.key))).toBe(true)
        }
        for (const { key, expiresMs } of all) if (expiresMs > 100) expect([...evicted, ...stale]).not.toContain(key)
        for (const { key, expiresMs } of all) if (expiresMs <= 100) expect([...evicted, ...stale]).toContain(key)
        expect(evicted.length).toBeLessThanOrEqual(Math.ceil(all.length * 0.15))
      }),
      { numRuns: 500 },
    )
  })
})
