/**
 * First step of a configuration change: a file becomes the value that it writes down.
 *
 * Invariants: js-yaml reads, because it is fast; the slower `yaml` is loaded only when there is an error to place.
 */
import { readFile } from 'node:fs/promises'
import { CORE_SCHEMA, loadAll, mergeTag, YAMLException } from 'js-yaml'
import { WeftError } from '../../errors.js'
import type { Finding } from '../checks/findings.js'
import type { Path } from '../checks/path.js'
import { markVariables, plainMarkTag, substitute } from './variables.js'

const schema = CORE_SCHEMA.withTags(mergeTag)
const schemaWithVariables = schema.withTags(plainMarkTag)

export interface LoadedFile {
  /** As `lineFinder` takes it: line for line what stands in the file. */
  text: string
  value: unknown
  /** Variables that are not set. */
  findings: Finding[]
}

export async function loadFile(file: string, environment: NodeJS.ProcessEnv = process.env): Promise<LoadedFile> {
  const written = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new WeftError('WEFT_CONFIG_UNREADABLE', `cannot read ${file}: ${reason(cause)}`, {
      hint: 'name the file with -c FILE',
      cause,
    })
  })
  const { text, references } = markVariables(written)
  const parsed = parseText(text, file, references.length > 0 ? schemaWithVariables : schema)
  return { text, ...substitute(parsed, references, environment) }
}

/** Reads YAML (and so JSON). An empty text is an empty configuration. */
export function parseText(text: string, file: string, tags = schema): unknown {
  try {
    const documents = loadAll(text, { schema: tags })
    if (documents.length > 1)
      throw new WeftError('WEFT_CONFIG_SYNTAX', `${file}: holds ${documents.length} documents`, {
        hint: 'a proxy configuration is one document; remove the lines with ---',
      })
    return documents[0] ?? {}
  } catch (cause) {
    if (!(cause instanceof YAMLException)) throw cause
    const { line, column } = cause.mark ?? { line: 0, column: 0 }
    throw new WeftError('WEFT_CONFIG_SYNTAX', `${file}:${line + 1}:${column + 1}: ${cause.reason}`, {
      hint: 'indent with spaces, quote text that holds ": " or " #"',
      cause,
    })
  }
}

/** The 1-based line on which a path stands, or the nearest of its parents that stands anywhere. */
export async function lineFinder(text: string): Promise<(path: Path) => number | null> {
  const yaml = await import('yaml')
  const lines = new yaml.LineCounter()
  const document = yaml.parseDocument(text, { lineCounter: lines, merge: true })
  return (path) => lines.linePos(offsetOf(yaml, document.contents, path, 0)).line
}

/** Where a path stands below a node of the reader `yaml`, or the nearest of its parents; `from` where none does. */
export function offsetOf(yaml: typeof import('yaml'), root: unknown, path: Path, from: number): number {
  let node = root
  let offset = from
  for (const step of path) {
    if (yaml.isMap(node)) {
      const pair = node.items.find(({ key }) => (yaml.isScalar(key) ? key.value : key) === step)
      if (pair === undefined) break
      if (yaml.isNode(pair.key) && pair.key.range) offset = pair.key.range[0]
      node = pair.value
    } else {
      const item = (node as { items?: unknown[] } | null)?.items?.[Number(step)]
      if (!yaml.isNode(item)) break
      if (item.range) offset = item.range[0]
      node = item
    }
  }
  return offset
}

function reason(error: NodeJS.ErrnoException): string {
  const reasons: Record<string, string> = {
    ENOENT: 'there is no such file',
    EACCES: 'permission denied',
    EISDIR: 'it is a directory',
  }
  return reasons[error.code ?? ''] ?? error.message
}
