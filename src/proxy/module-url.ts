/** Modules that a configuration names, as threads load them. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { type Watched, watched } from '../config/files/signature.js'

/**
 * A module's URL with the mark of its content: one that has changed is another one to a thread that knows the old.
 * Paths are relative to `folder`; `reading` is told of the file before it is read.
 */
export async function markedUrl(
  module: string | URL,
  folder: string,
  reading: (watched: Watched) => void,
): Promise<string> {
  const isUrl = module instanceof URL || /^[a-z]+:\/\//.test(module)
  const file = isUrl ? fileURLToPath(module) : resolve(folder, module)
  reading(watched(file))
  const mark = createHash('sha256')
    .update(await readFile(file))
    .digest('hex')
    .slice(0, 16)
  return `${pathToFileURL(file).href}?weft=${mark}`
}
