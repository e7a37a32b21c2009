/**
 * What the one-file `weft` carries besides its main script: the files of an installed package (bundles of the threads,
 * the engine, uWebSockets.js), which threads and the dynamic loader can only take from a file system.
 */
import { getAsset, getRawAsset } from 'node:sea'

export interface PackedFile {
  /** Relative, with slashes. */
  path: string
  bytes: number
  executable: boolean
}

export interface Packed {
  /** A digest of all files and of the Node below them: two builds with one id hold the same. */
  id: string
  files: PackedFile[]
  read(path: string): Uint8Array
}

export function readPacked(): Packed {
  const { id, files } = JSON.parse(getAsset('manifest.json', 'utf8')) as Pick<Packed, 'id' | 'files'>
  return { id, files, read: (path) => new Uint8Array(getRawAsset(path) as ArrayBuffer) }
}
