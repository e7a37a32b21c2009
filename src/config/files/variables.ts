/**
 * `${NAME}` and `${NAME:-default}` in the text of a configuration, taken from the environment.
 *
 * Flow: `markVariables` replaces each reference by a mark that YAML reads as a letter → the marked text is parsed →
 * `substitute` puts the values in. So a value can never change the structure, a reference may stand where braces may
 * not, and one in a comment is none. What was written without quotes gets its type after substitution, what was quoted
 * stays text. `$${` stands for a plain `${`.
 */
import { boolCoreTag, defineScalarTag, floatCoreTag, intCoreTag, NOT_RESOLVED, nullCoreTag } from 'js-yaml'
import type { Finding } from '../checks/findings.js'
import type { Path } from '../checks/path.js'

/** Code points for private use; a configuration has no reason to hold them. */
const open = '\uE000'
const close = '\uE001'
const plain = '\uE002'
const markForm = /\uE000(\d+)\uE001/g

export interface MarkedText {
  /** The text with marks, line for line the same. */
  text: string
  /** What stood at each mark. */
  references: string[]
}

export function markVariables(text: string): MarkedText {
  const references: string[] = []
  if (!text.includes('${')) return { text, references }
  const marked = text.replace(/[\uE000-\uE002]/g, '\uFFFD').replace(/\$?\$\{[^}\n]*\}?/g, (reference) => {
    references.push(reference)
    return `${open}${references.length - 1}${close}`
  })
  return { text: marked, references }
}

/** Tells scalars without quotes from quoted ones, for the parsed value does not. */
export const plainMarkTag = defineScalarTag<string>('!marked', {
  implicit: true,
  resolve: (source, isExplicit) => (!isExplicit && source.includes(open) ? plain + source : NOT_RESOLVED),
  identify: () => false,
})

/** The value with every mark replaced, and what could not be. The value given is not changed. */
export function substitute(value: unknown, references: readonly string[], environment: NodeJS.ProcessEnv) {
  const findings: Finding[] = []
  const walk = (node: unknown, path: Path): unknown => {
    if (typeof node === 'string') return node.includes(open) ? scalar(node, path) : node
    if (Array.isArray(node)) return node.map((item, index) => walk(item, [...path, index]))
    if (typeof node !== 'object' || node === null) return node
    return Object.fromEntries(
      Object.entries(node).map(([key, item]) => {
        const written = unmark(key, references)
        return [written, walk(item, [...path, written])]
      }),
    )
  }
  const scalar = (node: string, path: Path): unknown => {
    const text = node.replace(plain, '').replace(markForm, (_, index: string) => {
      const resolved = resolve(references[Number(index)] ?? '', environment)
      if (typeof resolved === 'string') return resolved
      findings.push({ path, code: 'WEFT_CONFIG_VARIABLE', ...resolved })
      return ''
    })
    return node.startsWith(plain) && text !== '' ? typed(text) : text
  }
  return { value: references.length === 0 ? value : walk(value, []), findings }
}

/** Names of keys are not substituted: they read as they were written. */
function unmark(text: string, references: readonly string[]): string {
  return text.replace(plain, '').replace(markForm, (_, index: string) => references[Number(index)] ?? '')
}

function resolve(reference: string, environment: NodeJS.ProcessEnv): string | Pick<Finding, 'message' | 'hint'> {
  if (reference.startsWith('$$')) return reference.slice(1)
  const parts = /^\$\{([A-Za-z_]\w*)(?::-(.*))?\}$/.exec(reference)
  if (parts === null) {
    return { message: `${reference} is not a variable`, hint: 'write $${ where a plain ${ is meant' }
  }
  const [, name = '', fallback] = parts
  const value = environment[name]
  if (value !== undefined && (value !== '' || fallback === undefined)) return value
  if (fallback !== undefined) return fallback
  return { message: `the environment has no variable ${name}`, hint: `set it, or write \${${name}:-default}` }
}

/** A scalar as YAML reads it without quotes. */
function typed(text: string): unknown {
  for (const tag of [nullCoreTag, boolCoreTag, intCoreTag, floatCoreTag]) {
    const value = tag.resolve(text, false, tag.tagName)
    if (value !== NOT_RESOLVED) return value
  }
  return text
}
