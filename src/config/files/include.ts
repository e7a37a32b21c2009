/**
 * A configuration file with all that it includes, as one value.
 *
 * Lists are appended in the order of the includes, anything else may be set by one file only. Every entry remembers its
 * file, so that a finding is told with file, path and line as the person wrote them.
 */
import { realpathSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Finding } from '../checks/findings.js'
import type { Path } from '../checks/path.js'
import { isPattern, matchFiles } from './glob.js'
import { type LoadedFile, lineFinder, loadFile } from './load.js'
import { type Watched, watched } from './signature.js'

/** Where something is written. */
export interface Place {
  /** The included file; null for the one that was asked for, or when there is no file. */
  file: string | null
  /** The path within that file. */
  path: Path
  line: number | null
}

/** Finds the place of a path into the whole value. */
export type PlaceOf = (path: Path) => Place

export interface LoadOptions {
  environment?: NodeJS.ProcessEnv
  /** Told of every file and pattern before it is read, also when loading fails. */
  reading?: (watched: Watched) => void
}

interface Source {
  file: string
  loaded: LoadedFile
}

export interface LoadedTree {
  value: unknown
  /** What keeps the files from being one configuration, by the paths of their files. */
  findings: { source: Source; finding: Finding }[]
  sources: Source[]
  origins: Origins
}

/** Per top-level key: where it was set, or where each entry of its list was. */
type Origins = Map<string, Source | { source: Source; index: number }[]>

type Mapping = Record<string, unknown>

export async function loadTree(file: string, options: LoadOptions = {}): Promise<LoadedTree> {
  const tree: LoadedTree = { value: {}, findings: [], sources: [], origins: new Map() }
  const loader = new Loader(tree, options)
  await loader.add(file, [])
  return tree
}

class Loader {
  private readonly tree: LoadedTree
  private readonly options: LoadOptions
  private readonly known = new Set<string>()

  constructor(tree: LoadedTree, options: LoadOptions) {
    this.tree = tree
    this.options = options
  }

  /** `above` are the real paths of the files that include this one. */
  async add(file: string, above: readonly string[]): Promise<void> {
    this.options.reading?.(watched(resolve(file)))
    const source: Source = { file, loaded: await loadFile(file, this.options.environment) }
    const { value, findings } = source.loaded
    this.tree.sources.push(source)
    this.tree.findings.push(...findings.map((finding) => ({ source, finding })))
    if (!isMapping(value)) {
      if (above.length === 0) this.tree.value = value
      else this.refuse(source, [], 'WEFT_CONFIG_TYPE', 'an included file holds keys, as the configuration does')
      return
    }
    for (const [key, item] of Object.entries(value)) this.merge(source, key, item)
    const real = realpathSync(file)
    this.known.add(real)
    await this.include(source, value.include, [...above, real])
  }

  private async include(source: Source, include: unknown, above: readonly string[]): Promise<void> {
    if (!Array.isArray(include)) return // the schema says what is wrong with it
    for (const [index, pattern] of include.entries()) {
      if (typeof pattern !== 'string') continue
      const absolute = resolve(dirname(source.file), pattern)
      if (isPattern(absolute)) this.options.reading?.(watched(absolute))
      for (const file of matchFiles(absolute)) {
        const real = realOf(file)
        const refuse = (message: string) => this.refuse(source, ['include', index], 'WEFT_CONFIG_INCLUDE', message)
        if (real === null) {
          this.options.reading?.(watched(file))
          refuse(`there is no file ${file}`)
        } else if (above.includes(real)) refuse(`${file} includes itself, directly or through others`)
        else if (this.known.has(real)) refuse(`${file} is included twice`)
        else await this.add(file, above)
      }
    }
  }

  private merge(source: Source, key: string, item: unknown): void {
    const whole = this.tree.value as Mapping
    const origin = this.tree.origins.get(key)
    if (origin === undefined) {
      whole[key] = Array.isArray(item) ? [...item] : item
      this.tree.origins.set(key, Array.isArray(item) ? item.map((_, index) => ({ source, index })) : source)
    } else if (Array.isArray(origin) && Array.isArray(item)) {
      const list = whole[key] as unknown[]
      for (const [index, entry] of item.entries()) {
        list.push(entry)
        origin.push({ source, index })
      }
    } else {
      const first = Array.isArray(origin) ? this.tree.sources[0] : origin
      this.refuse(source, [key], 'WEFT_CONFIG_DUPLICATE', `${key} is already set in ${first?.file}`)
    }
  }

  private refuse(source: Source, path: Path, code: Finding['code'], message: string): void {
    this.tree.findings.push({ source, finding: { path, code, message, hint: null } })
  }
}

/** Finds places in the files of a tree. The slow reader that knows lines is loaded here, when there is an error to place. */
export async function placeFinder(tree: LoadedTree): Promise<PlaceOf> {
  const lines = new Map<Source, (path: Path) => number | null>()
  for (const source of tree.sources) lines.set(source, await lineFinder(source.loaded.text))
  return (path) => {
    const [key, index, ...rest] = path
    const origin = tree.origins.get(String(key))
    const entry = Array.isArray(origin) && typeof index === 'number' ? origin[index] : undefined
    const source = entry?.source ?? (Array.isArray(origin) ? undefined : origin) ?? tree.sources[0]
    const local = entry === undefined || key === undefined ? path : [key, entry.index, ...rest]
    return placeIn(tree, source, local, lines)
  }
}

/** The findings of loading as they are told. */
export async function placeFindings(tree: LoadedTree): Promise<{ place: Place; finding: Finding }[]> {
  const lines = new Map<Source, (path: Path) => number | null>()
  for (const { source } of tree.findings) lines.set(source, await lineFinder(source.loaded.text))
  return tree.findings.map(({ source, finding }) => ({ place: placeIn(tree, source, finding.path, lines), finding }))
}

function placeIn(
  tree: LoadedTree,
  source: Source | undefined,
  path: Path,
  lines: ReadonlyMap<Source, (path: Path) => number | null>,
): Place {
  const file = source === undefined || source === tree.sources[0] ? null : source.file
  const lineOf = source === undefined ? undefined : lines.get(source)
  return { file, path, line: lineOf?.(path) ?? null }
}

function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function realOf(file: string): string | null {
  try {
    return realpathSync(file)
  } catch {
    return null
  }
}
