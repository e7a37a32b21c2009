/**
 * A snapshot of the embedded store: one frame of head (format, revision, count), one per entry with its history.
 *
 * Invariants: it exists under its name only when it is whole (temporary file, flush, rename, flush of the folder);
 * reading gives all of it or `null`; writing gives the loop back between slices.
 */
import { type FileHandle, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { snapshotName, syncFolder } from './data-folder.js'
import { encodeFrame, readFrames } from './frame.js'
import type { Retained } from './state.js'

const format = 1
const entriesPerSlice = 256

export interface Snapshot {
  revision: number
  retained: Retained[]
}

/** Returns the size in bytes. */
export async function writeSnapshot(folder: string, { revision, retained }: Snapshot): Promise<number> {
  const temporary = join(folder, 'snapshot.new')
  let bytes = 0
  try {
    const handle = await open(temporary, 'w', 0o600)
    try {
      bytes += await writeFrames(handle, [{ format, revision, count: retained.length }])
      for (let at = 0; at < retained.length; at += entriesPerSlice) {
        bytes += await writeFrames(handle, retained.slice(at, at + entriesPerSlice))
      }
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, join(folder, snapshotName(revision)))
    await syncFolder(folder)
    return bytes
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

async function writeFrames(handle: FileHandle, values: readonly unknown[]): Promise<number> {
  const bytes = Buffer.concat(values.map((value) => encodeFrame(Buffer.from(JSON.stringify(value)))))
  await handle.writeFile(bytes)
  return bytes.length
}

/** `null` for a file that is not wholly good. */
export async function readSnapshot(file: string): Promise<Snapshot | null> {
  const { payloads, damage } = readFrames(await readFile(file))
  const [head, ...entries] = payloads
  if (damage !== null || head === undefined) return null
  const { format: written, revision, count } = JSON.parse(head.toString()) as Record<string, number>
  if (written !== format || revision === undefined || count !== entries.length) return null
  return { revision, retained: entries.map((entry) => JSON.parse(entry.toString()) as Retained) }
}
