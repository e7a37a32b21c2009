/**
 * Whether files are still what they were when they were read. A signature is taken before the file is read, so that a
 * change meanwhile shows.
 */
import { statSync } from 'node:fs'
import { matchFiles } from './glob.js'

/** A file or a pattern of files, as it was when it was read. */
export interface Watched {
  path: string
  signature: string
}

export function watched(path: string): Watched {
  return { path, signature: signatureOf(path) }
}

/** Differs when the file, or any file that the pattern names, was replaced, changed, removed or is new. */
export function signatureOf(path: string): string {
  return matchFiles(path).map(describe).join('\n')
}

function describe(path: string): string {
  try {
    // The file behind a symbolic link: swapping a link is how some orchestrators replace files.
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true })
    return [path, dev, ino, size, mtimeNs, ctimeNs].join(' ')
  } catch {
    return `${path} absent`
  }
}
