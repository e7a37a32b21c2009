/** The README's code is that of tested files, as they stand; links of every page lead somewhere. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'

const readme = readFileSync('README.md', 'utf8')
const chapter = /^## Program it\n[\s\S]*?(?=^## )/m.exec(readme)?.[0] ?? ''

/** Each block of code with the last file of its kind that is linked before it. */
const blocks = [...chapter.matchAll(/^```(js|yaml)\n([\s\S]*?)^```$/gm)].map(({ index, 1: kind, 2: code }) => {
  const links = [...chapter.slice(0, index).matchAll(/\]\((test\/examples\/[^)]+)\)/g)].map(([, file = '']) => file)
  return { file: links.findLast((file) => file.endsWith(`.${kind}`)) ?? '', code }
})

describe('the chapter "Program it"', () => {
  it('shows files as they stand', () => {
    expect(blocks.length).toBeGreaterThan(5)
    for (const { file, code } of blocks) expect(code, file).toBe(readFileSync(file, 'utf8'))
  })

  it('shows or links every example', () => {
    const examples = readdirSync('test/examples/program').map((name) => `test/examples/program/${name}`)
    expect(examples.filter((file) => !chapter.includes(`](${file})`))).toEqual([])
  })
})

const pages = execFileSync('git', ['ls-files', '*.md'], { encoding: 'utf8' }).trim().split('\n')

it.each(pages)('%s links to files that are there', (page) => {
  const links = [...readFileSync(page, 'utf8').matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)].map(([, file = '']) => file)
  expect(links.filter((file) => !existsSync(join(dirname(page), file)))).toEqual([])
})
