import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { diffLines } from '../../../src/cli/line-diff.js'
import { formatAge, formatTable } from '../../../src/cli/table.js'

describe('the difference of two texts', () => {
  it('shows what went, what came and what stands around', () => {
    const before = Array.from({ length: 12 }, (_, n) => `line ${n}`)
    const after = before.with(6, 'other')
    expect(diffLines(before.join('\n'), after.join('\n'))).toEqual([
      ...['@@', ' line 3', ' line 4', ' line 5', '-line 6', '+other', ' line 7', ' line 8', ' line 9', '@@'],
    ])
  })

  it('is empty for equal texts, all of it for one that was not there', () => {
    expect(diffLines('a\nb\n', 'a\nb\n')).toEqual([])
    expect(diffLines('', 'a\nb\n')).toEqual(['+a', '+b'])
    expect(diffLines('a\n', '')).toEqual(['-a'])
  })

  it('holds both texts, whatever they are', () => {
    // Short enough that every line stands near a difference.
    const text = fc.array(fc.constantFrom('a', 'b', 'c', ' d'), { maxLength: 4 })
    fc.assert(
      fc.property(text, text, (before, after) => {
        const lines = diffLines(before.join('\n'), after.join('\n'))
        const same = JSON.stringify(before) === JSON.stringify(after)
        const without = (mark: string) => lines.filter((line) => !line.startsWith(mark)).map((line) => line.slice(1))
        expect(lines.length === 0).toBe(same)
        if (!same) expect([without('+'), without('-')]).toEqual([before, after])
      }),
    )
  })

  it('gives up finding common lines where that would take too long', () => {
    const long = (word: string) => Array.from({ length: 3_000 }, (_, n) => `${word} ${n}`).join('\n')
    expect(diffLines(long('a'), long('b'))).toHaveLength(6_000)
  })
})

describe('a table', () => {
  it('has columns as wide as their widest cell and no blanks at the end of a line', () => {
    expect(
      formatTable(
        ['A', 'LONG'],
        [
          ['wide cell', ''],
          ['', 'x'],
        ],
      ),
    ).toBe('A          LONG\nwide cell\n           x')
  })

  it.each([
    [-5, '0s'],
    [119_000, '119s'],
    [120_000, '2m'],
    [7_200_000, '2h'],
    [172_800_000, '2d'],
  ])('says of %i ms that it was %s ago', (ms, text) => expect(formatAge(ms)).toBe(text))
})
