/** Folders for the files of a test. They go when its programs end, at the latest with its file. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const folders = new Set<string>()

export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'weft-'))
  folders.add(folder)
  return folder
}

export function removeScratch(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
  folders.clear()
}
