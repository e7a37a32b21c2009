import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { configReference } from '../../src/config/documents.js'
import { codes } from '../../src/errors.js'

const used = new Set<string>()
for (const file of sources()) {
  for (const [code] of readFileSync(file, 'utf8').matchAll(/WEFT_[A-Z]+(?:_[A-Z]+)+/g)) used.add(code)
}

describe('the catalogue of error codes', () => {
  it('documents every code that is thrown', () => {
    expect([...used].filter((code) => !(code in codes)).sort()).toEqual([])
  })

  it('holds no code that nothing throws', () => {
    expect(Object.keys(codes).filter((code) => !used.has(code))).toEqual([])
  })

  it('stands on the reference page', () => {
    const page = configReference()
    expect(Object.keys(codes).filter((code) => !page.includes(`\`${code}\``))).toEqual([])
  })
})

/** The sources without the catalogue itself. */
function sources(): string[] {
  return readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && file !== 'errors.ts')
    .map((file) => `src/${file}`)
}
