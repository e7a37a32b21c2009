import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { lineOfPath, readResources } from '../../../../src/control/client/resource-files.js'
import { removeScratch, scratchFolder } from '../../../kit/scratch.js'

afterEach(removeScratch)
const noInput = async () => ''

const text = `# first
kind: A
metadata: { name: a, labels: { "a b": c } }
---
kind: B
spec:
  rules:
    - matches:
        - path: x
    - backendRefs: []
---
`

describe('resources in files', () => {
  it('are several in one, several files of a folder in order, and what stands on standard input', async () => {
    const folder = scratchFolder()
    mkdirSync(join(folder, 'inner'))
    writeFileSync(join(folder, 'b.yaml'), text)
    writeFileSync(join(folder, 'a.json'), '{"kind": "J"}')
    writeFileSync(join(folder, 'notes.txt'), 'not: this')
    const all = await readResources([folder, '-'], async () => 'kind: S')
    expect(all.map(({ value, document }) => [(value as { kind: string }).kind, document])).toEqual([
      ['J', 0],
      ['A', 0],
      ['B', 1],
      ['S', 0],
    ])
  })

  it('know the line of every path, or of the nearest parent', async () => {
    const line = (document: number, path: string) => lineOfPath(text, document, path)
    expect(await line(0, 'metadata.labels["a b"]')).toBe(3)
    expect(await line(1, '')).toBe(5)
    expect(await line(1, 'spec.rules[0].matches[0].path')).toBe(9)
    expect(await line(1, 'spec.rules[1].backendRefs[7].name')).toBe(10)
    expect(await line(1, 'metadata.name')).toBe(5)
  })

  it('are refused with file and line when they cannot be read', async () => {
    const file = join(scratchFolder(), 'x.yaml')
    writeFileSync(file, 'a: 1\nb: [\n')
    await expect(readResources([file], noInput)).rejects.toMatchObject({
      code: 'WEFT_CONFIG_SYNTAX',
      message: expect.stringMatching(/x\.yaml:3:1: /),
    })
    await expect(readResources(['/nowhere'], noInput)).rejects.toMatchObject({ code: 'WEFT_CONFIG_UNREADABLE' })
    writeFileSync(file, '---\n---\n')
    await expect(readResources([file], noInput)).rejects.toThrow('no resource stands there')
  })
})
