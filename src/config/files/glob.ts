/** Files that a pattern names: `*` and `?` stand for characters of one path element. */
import { readdirSync, statSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'

export function isPattern(path: string): boolean {
  return /[*?]/.test(path)
}

/** The longest folder of a path in which nothing stands for anything else: where to look for changes. */
export function fixedFolder(path: string): string {
  const elements = path.split(sep)
  const first = elements.findIndex(isPattern)
  return first === -1 ? dirname(path) : elements.slice(0, first).join(sep) || sep
}

/** The files that an absolute pattern names, sorted; the path itself when it is none. Folders that are gone have none. */
export function matchFiles(pattern: string): string[] {
  if (!isPattern(pattern)) return [pattern]
  const elements = pattern.split(sep)
  let found = ['/']
  elements.slice(1).forEach((element, index) => {
    const last = index === elements.length - 2
    found = found.flatMap((folder) => step(folder, element, last))
  })
  return found.sort()
}

function step(folder: string, element: string, last: boolean): string[] {
  if (!isPattern(element)) return [join(folder, element)]
  const form = new RegExp(
    `^${element
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')}$`,
  )
  // A name with a dot in front is hidden: editors and orchestrators put there what is not meant to be read.
  const names = entries(folder).filter((name) => form.test(name) && (!name.startsWith('.') || element.startsWith('.')))
  return names.map((name) => join(folder, name)).filter((path) => !last || isFile(path))
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false
}
