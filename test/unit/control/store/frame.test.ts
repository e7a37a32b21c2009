/** The reader of the log's records against every kind of damage: it never throws and never invents. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeFrame, readFrames } from '../../../../src/control/store/frame.js'

const payloads = fc.array(fc.uint8Array({ maxLength: 200 }), { minLength: 1, maxLength: 12 })
const log = (list: Uint8Array[]) => Buffer.concat(list.map((payload) => encodeFrame(Buffer.from(payload))))
const texts = (list: readonly Uint8Array[]) => list.map((bytes) => Buffer.from(bytes).toString('hex'))

describe('the records of a log', () => {
  it('come back as they were written', () => {
    fc.assert(
      fc.property(payloads, (list) => {
        const bytes = log(list)
        const read = readFrames(bytes)
        expect(texts(read.payloads)).toEqual(texts(list))
        expect([read.goodBytes, read.damage]).toEqual([bytes.length, null])
      }),
    )
  })

  it('come back up to the place where the file was cut', () => {
    fc.assert(
      fc.property(payloads, fc.nat(), (list, cut) => {
        const bytes = log(list)
        const kept = bytes.subarray(0, cut % bytes.length)
        const read = readFrames(kept)
        expect(texts(read.payloads)).toEqual(texts(list).slice(0, read.payloads.length))
        expect(read.goodBytes).toBe(log(list.slice(0, read.payloads.length)).length)
        expect(read.damage).toBe(read.goodBytes === kept.length ? null : 'tail')
        const next = list[read.payloads.length]
        if (next !== undefined) expect(kept.length - read.goodBytes).toBeLessThan(12 + next.length)
      }),
      { numRuns: 500 },
    )
  })

  it('come back up to the record in which a bit flipped', () => {
    fc.assert(
      fc.property(payloads, fc.nat(), fc.nat(7), (list, place, bit) => {
        const bytes = log(list)
        const at = place % bytes.length
        bytes[at] = (bytes[at] ?? 0) ^ (1 << bit)
        const read = readFrames(bytes)
        let end = 0
        const hit = list.findIndex((payload) => {
          end += 12 + payload.length
          return at < end
        })
        expect(texts(read.payloads)).toEqual(texts(list).slice(0, hit))
        expect(read.damage).toBe(hit === list.length - 1 ? 'tail' : 'middle')
      }),
      { numRuns: 1_000 },
    )
  })

  it('are not believed from noise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => {
        const read = readFrames(Buffer.concat([Buffer.from('WFT1'), Buffer.from(noise)]))
        expect([read.payloads, read.goodBytes, read.damage]).toEqual([[], 0, 'tail'])
      }),
      { numRuns: 500 },
    )
  })
})
