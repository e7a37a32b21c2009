/**
 * Resources in files: several documents in one, several files in a folder, `-` for standard input.
 *
 * Invariant: each resource knows its file and the line of each of its parts, so that whatever is said about it, now or
 * by a data plane later, names a line.
 */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { CORE_SCHEMA, loadAll, mergeTag, YAMLException } from 'js-yaml'
import { offsetOf } from '../../config/files/load.js'
import { WeftError } from '../../errors.js'

export interface FiledResource {
  file: string
  /** Place among the documents of the file. */
  document: number
  value: unknown
  /** The whole file. */
  text: string
}

const schema = CORE_SCHEMA.withTags(mergeTag)

/** Throws `WEFT_CONFIG_UNREADABLE` or `WEFT_CONFIG_SYNTAX`. */
export async function readResources(names: readonly string[], stdin: () => Promise<string>): Promise<FiledResource[]> {
  const files = (await Promise.all(names.map(expand))).flat()
  const all = await Promise.all(
    files.map(async (file) => documentsOf(file === '-' ? await stdin() : await readText(file), file)),
  )
  const resources = all.flat()
  if (resources.length > 0) return resources
  throw new WeftError('WEFT_CONFIG_UNREADABLE', `${names.join(', ')}: no resource stands there`)
}

function documentsOf(text: string, file: string): FiledResource[] {
  try {
    // An empty document, as after a last `---`, is nobody's mistake.
    return loadAll(text, { schema }).flatMap((value, document) =>
      value == null ? [] : [{ file, document, value, text }],
    )
  } catch (cause) {
    if (!(cause instanceof YAMLException)) throw cause
    const { line, column } = cause.mark ?? { line: 0, column: 0 }
    throw new WeftError('WEFT_CONFIG_SYNTAX', `${file}:${line + 1}:${column + 1}: ${cause.reason}`, { cause })
  }
}

/** A folder stands for the YAML and JSON files in it, in the order of their names. */
async function expand(name: string): Promise<string[]> {
  if (name === '-') return [name]
  const about = await stat(name).catch((cause) => {
    throw unreadable(name, cause as NodeJS.ErrnoException)
  })
  if (!about.isDirectory()) return [name]
  const entries = await readdir(name)
  return entries
    .filter((entry) => /\.(ya?ml|json)$/.test(entry))
    .sort()
    .map((entry) => join(name, entry))
}

function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((cause) => {
    throw unreadable(file, cause as NodeJS.ErrnoException)
  })
}

function unreadable(file: string, cause: NodeJS.ErrnoException): WeftError {
  const reason = cause.code === 'ENOENT' ? 'there is no such file' : cause.message
  return new WeftError('WEFT_CONFIG_UNREADABLE', `cannot read ${file}: ${reason}`, { hint: 'name it with -f', cause })
}

/** The 1-based line of a path such as `spec.rules[0].matches` in a document, or of its nearest parent. */
export async function lineOfPath(text: string, document: number, path: string): Promise<number> {
  const yaml = await import('yaml')
  const lines = new yaml.LineCounter()
  const parsed = yaml.parseAllDocuments(text, { lineCounter: lines, merge: true })
  const contents = Array.isArray(parsed) ? parsed[document]?.contents : undefined
  const from = yaml.isNode(contents) && contents.range ? contents.range[0] : 0
  return lines.linePos(offsetOf(yaml, contents, stepsOf(path), from)).line
}

/** `spec.rules[0]["a b"]` → `spec`, `rules`, `0`, `a b`. */
function stepsOf(path: string): string[] {
  return [...path.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.[\]]+)/g)].map(([, quoted, index, word]) => {
    return quoted !== undefined ? (JSON.parse(`"${quoted}"`) as string) : (index ?? word ?? '')
  })
}
