/**
 * Lays the packed files into a folder named by their build id, once for all processes that are of the same build.
 *
 * Invariants: a folder is used only when it belongs to this user or to root and nobody else may write to it, or to the
 * folder around it; it appears whole, by a rename, so that of two processes which unpack at once the later one finds it;
 * one that lost a file (cleaners of temporary folders do that) is put aside and unpacked again.
 */
import { randomBytes } from 'node:crypto'
import {
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { WeftError } from '../errors.js'
import { forbidsExecution, installedFolder, writableFolders } from './folders.js'
import type { Packed } from './packed.js'

/** The folder that holds the files. Throws `WEFT_UNPACK_FAILED` with what stood against each folder that was tried. */
export function unpack(packed: Packed): string {
  const installed = join(installedFolder(), packed.id)
  if (whyNotTrusted(dirname(installed)) === null && isWhole(packed, installed)) return installed
  const refusals: string[] = []
  for (const folder of writableFolders()) {
    try {
      return unpackInto(packed, folder)
    } catch (error) {
      refusals.push(`${folder}: ${(error as Error).message}`)
    }
  }
  throw new WeftError('WEFT_UNPACK_FAILED', `the files of weft cannot be unpacked: ${refusals.join('; ')}`, {
    hint: 'set WEFT_FILES to a folder that this user can write to and load programs from',
  })
}

/** Throws what stands against `parent`. */
export function unpackInto(packed: Packed, parent: string): string {
  const folder = join(parent, packed.id)
  makeFolder(parent)
  const distrust = whyNotTrusted(parent)
  if (distrust !== null) throw new Error(distrust)
  if (forbidsExecution(realpathSync(parent), mountInfo())) throw new Error('programs may not be loaded from there')
  // Others may be at the same: each round either finds a whole folder, puts one there or takes a broken one away.
  for (let round = 0; round < 8; round += 1) {
    if (isWhole(packed, folder)) return folder
    const fresh = besides(folder)
    try {
      writeFiles(packed, fresh)
      renameSync(fresh, folder)
    } catch (error) {
      if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
      if (!isWhole(packed, folder)) setAside(packed, folder)
    } finally {
      rmSync(fresh, { recursive: true, force: true })
    }
  }
  throw new Error('other processes remove what is unpacked there')
}

/** With those above it. Node's own `recursive` never comes back from folders like /proc, which say that they are not there. */
function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return
    if (code !== 'ENOENT' || dirname(folder) === folder) throw error
    makeFolder(dirname(folder))
    mkdirSync(folder, { mode: 0o700 })
  }
}

function writeFiles({ files, read }: Packed, folder: string): void {
  mkdirSync(folder, { mode: 0o700 })
  for (const { path, executable } of files) {
    const file = join(folder, path)
    makeFolder(dirname(file))
    writeFileSync(file, read(path), { mode: executable ? 0o700 : 0o600, flag: 'wx' })
  }
}

/** A broken folder makes room for a whole one; processes that loaded its files keep them open. */
function setAside(packed: Packed, folder: string): void {
  const aside = besides(folder)
  try {
    renameSync(folder, aside)
    // Somebody was faster, and may be about to load what lies in it.
    if (isWhole(packed, aside)) renameSync(aside, folder)
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
  rmSync(aside, { recursive: true, force: true })
}

function besides(folder: string): string {
  return `${folder}.${randomBytes(8).toString('hex')}`
}

function isWhole({ files }: Packed, folder: string): boolean {
  return whyNotTrusted(folder) === null && files.every(({ path, bytes }) => statOf(join(folder, path))?.size === bytes)
}

/** Null when only this user and root can have put there what lies in it. */
export function whyNotTrusted(folder: string): string | null {
  const found = statOf(folder)
  if (found === null) return 'it does not exist'
  if (!found.isDirectory()) return 'it is not a folder'
  if (found.uid !== process.geteuid?.() && found.uid !== 0) return `it belongs to another user (${found.uid})`
  return (found.mode & 0o022) === 0 ? null : 'others may write to it'
}

/** Of the entry itself: a symbolic link could be turned elsewhere later. */
function statOf(path: string): Stats | null {
  return lstatSync(path, { throwIfNoEntry: false }) ?? null
}

function mountInfo(): string {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8')
  } catch {
    return '' // without /proc the loader has the last word
  }
}
