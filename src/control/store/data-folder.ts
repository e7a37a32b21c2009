/**
 * The folder of the embedded store: `snapshot-REVISION`, `log-FIRST_REVISION`, and what was set aside as damaged.
 *
 * Invariants: one process at a time (the lock is a name in the kernel, which frees it when the process ends, however it
 * ends); a file that replaces another comes by rename after its bytes and before its folder are flushed.
 */
import { existsSync } from 'node:fs'
import { mkdir, open, readdir, rename, stat } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { WeftError } from '../../errors.js'

export interface Numbered {
  file: string
  revision: number
}

export interface FolderLock {
  release(): Promise<void>
}

/** Makes the folder, for its owner alone. */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new WeftError('WEFT_STORE_UNWRITABLE', `cannot make the data folder ${folder}`, {
      hint: 'name a folder that this user may write with --data',
      cause,
    })
  }
}

/** Throws `WEFT_STORE_LOCKED` when a living process has the folder. */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const { dev, ino } = await stat(folder)
  // Abstract names exist on Linux only, as does the engine; no file is left to be stale.
  const name = `\0weft-store-${dev}-${ino}`
  const server = createServer((socket) => socket.destroy())
  await listen(server, name).catch((cause) => {
    throw new WeftError('WEFT_STORE_LOCKED', `another process has the data folder ${folder}`, {
      hint: 'end it first, or give this one a folder of its own with --data',
      cause,
    })
  })
  server.unref()
  return { release: () => new Promise((resolve) => server.close(() => resolve())) }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ path }, () => resolve())
  })
}

export const snapshotName = (revision: number) => `snapshot-${padded(revision)}`
export const logName = (firstRevision: number) => `log-${padded(firstRevision)}`

/** Sixteen digits hold every safe integer, so that names sort as numbers. */
function padded(revision: number): string {
  return String(revision).padStart(16, '0')
}

/** Files of one sort, lowest revision first. */
export async function listNumbered(folder: string, prefix: 'snapshot' | 'log'): Promise<Numbered[]> {
  const names = await readdir(folder)
  return names
    .filter((name) => name.startsWith(`${prefix}-`) && /^\d{16}$/.test(name.slice(prefix.length + 1)))
    .sort()
    .map((name) => ({ file: join(folder, name), revision: Number(name.slice(prefix.length + 1)) }))
}

/** Renames a damaged file so that nothing reads it again and nobody loses it; returns its new name. */
export async function setAside(file: string): Promise<string> {
  let name = `${file}.damaged`
  for (let n = 2; existsSync(name); n += 1) name = `${file}.damaged-${n}`
  await rename(file, name)
  return name
}

/** Makes renames, creations and deletions in the folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
