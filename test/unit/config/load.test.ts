import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { lineFinder, loadFile, parseText } from '../../../src/config/files/load.js'
import { scratchFolder } from '../../kit/scratch.js'

describe('a configuration file', () => {
  it('that is missing or a folder is reported by its name', async () => {
    const folder = scratchFolder()
    await expect(loadFile(join(folder, 'none.yaml'))).rejects.toMatchObject({
      code: 'WEFT_CONFIG_UNREADABLE',
      message: expect.stringContaining('there is no such file'),
    })
    await expect(loadFile(folder)).rejects.toThrow('it is a directory')
  })

  it('that is not YAML is reported with line and column', () => {
    expect(() => parseText('a: 1\nb: [1, 2\nc: 3\n', 'x.yaml')).toThrow(/^x\.yaml:\d+:\d+: /)
    expect(() => parseText('a: 1\na: 2\n', 'x.yaml')).toThrow('x.yaml:2:1: duplicated mapping key')
    expect(() => parseText('a: 1\n---\nb: 2\n', 'x.yaml')).toThrow('holds 2 documents')
  })

  it('that is empty is an empty configuration', async () => {
    const file = join(scratchFolder(), 'empty.yaml')
    await writeFile(file, '')
    expect((await loadFile(file)).value).toEqual({})
  })

  it('may be JSON, and may merge mappings', () => {
    expect(parseText('{"a": [1, true, null]}', 'x')).toEqual({ a: [1, true, null] })
    expect(parseText('a: &a { k: 1 }\nb: { <<: *a, l: 2 }', 'x')).toEqual({ a: { k: 1 }, b: { k: 1, l: 2 } })
  })

  it('tells the line of a path, or of the nearest parent', async () => {
    const lineOf = await lineFinder('a:\n  - b: 1\n    c: 2\nd:\n  e: 3\n')
    expect([[], ['a'], ['a', 0, 'c'], ['d', 'e'], ['d', 'missing'], ['a', 7]].map((path) => lineOf(path))).toEqual([
      1, 1, 3, 5, 4, 1,
    ])
  })
})
