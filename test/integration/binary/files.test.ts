/** What the one-file command lays down: once, whole, and nowhere that somebody else could have prepared. */
import { chmodSync, chownSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, expect, it } from 'vitest'
import { endOneFiles, runOneFile } from '../../kit/one-file.js'
import { removeScratch, scratchFolder } from '../../kit/scratch.js'

let parent: string
beforeEach(() => {
  parent = join(scratchFolder(), 'files')
})
afterEach(endOneFiles)
afterAll(removeScratch)

const version = () => runOneFile(['version'], { WEFT_FILES: parent })
const withEngine = /\(engine \d/
const withoutEngine = /\(engine not built/

it('lays its files where only their user can enter', async () => {
  expect((await version()).stdout).toMatch(withEngine)
  const [build = ''] = readdirSync(parent)
  expect(statSync(parent).mode & 0o777).toBe(0o700)
  expect(statSync(join(parent, build)).mode & 0o777).toBe(0o700)
})

it('lays them down once, whoever starts at the same time', async () => {
  const runs = await Promise.all(Array.from({ length: 6 }, version))
  for (const { stdout } of runs) expect(stdout).toMatch(withEngine)
  expect(readdirSync(parent)).toHaveLength(1)
})

it('brings back what a cleaner of temporary files took', async () => {
  await version()
  const [build = ''] = readdirSync(parent)
  const engine = join(parent, build, 'dist/weft.node')
  rmSync(engine)
  expect((await version()).stdout).toMatch(withEngine)
  expect(statSync(engine).size).toBeGreaterThan(0)
  expect(readdirSync(parent)).toEqual([build])
})

it('takes nothing from a folder that others may write to', async () => {
  mkdirSync(parent)
  chmodSync(parent, 0o777)
  expect((await version()).stdout).toMatch(withoutEngine)
  expect(readdirSync(parent)).toEqual([])
})

it('takes nothing through a symbolic link', async () => {
  const elsewhere = scratchFolder()
  symlinkSync(elsewhere, parent)
  expect((await version()).stdout).toMatch(withoutEngine)
  expect(readdirSync(elsewhere)).toEqual([])
})

it.runIf(process.getuid?.() === 0)('takes nothing from a folder of another user', async () => {
  mkdirSync(parent, { mode: 0o700 })
  chownSync(parent, 12_345, 12_345)
  expect((await version()).stdout).toMatch(withoutEngine)
})

it.runIf(process.getuid?.() === 0)('unpacks anew what another user put under its name', async () => {
  await version()
  const [build = ''] = readdirSync(parent)
  chownSync(join(parent, build), 12_345, 12_345)
  expect((await version()).stdout).toMatch(withEngine)
  expect(statSync(join(parent, build)).uid).toBe(0)
})
