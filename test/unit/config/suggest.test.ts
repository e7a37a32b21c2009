import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { editDistance, nearest } from '../../../src/config/checks/suggest.js'

describe('a suggestion', () => {
  it('is the nearest known word', () => {
    expect(nearest('listners', ['listeners', 'clusters'])).toBe('listeners')
    expect(nearest('adress', ['name', 'address'])).toBe('address')
    expect(nearest('TimeOut', ['timeout'])).toBe('timeout')
    expect(nearest('naem', ['name'])).toBe('name')
  })

  it('is none when nothing is near', () => {
    expect(nearest('colour', ['listeners', 'routes'])).toBeNull()
    expect(nearest('x', [])).toBeNull()
  })

  it('rests on a distance that is symmetric, and zero only for equal words', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a))
        expect(editDistance(a, b) === 0).toBe(a === b)
      }),
    )
  })
})
