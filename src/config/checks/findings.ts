/**
 * From zod's findings to ours: a code, a path, a sentence about the value and a hint on what to write instead.
 *
 * Invariant: every finding of the schema becomes at least one issue; none is dropped or merged.
 */
import * as z from 'zod'
import type { Code } from '../../errors.js'
import { notYetMark } from '../forms/not-yet.js'
import type { Path } from './path.js'
import { nearest } from './suggest.js'

export interface Finding {
  path: Path
  code: Code
  message: string
  hint: string | null
}

export function findingsOf(schema: z.ZodType, written: unknown, issues: readonly z.core.$ZodIssue[], base: Path = []) {
  return issues.flatMap((issue): Finding[] => {
    const path = [...base, ...(issue.path as Path)]
    switch (issue.code) {
      case 'unrecognized_keys':
        return issue.keys.map((key) => unknownKey(schema, written, [...path, key]))
      case 'invalid_union':
        if (issue.discriminator !== undefined) return [unknownType(schema, path, valueAt(written, path.slice(0, -1)))]
        return findingsOf(schema, written, likeliestBranch(issue), path)
      case 'invalid_key':
        return findingsOf(schema, written, issue.issues, path)
      case 'invalid_type':
        return [wrongType(path, issue.expected, valueAt(written, path))]
      case 'custom':
        if (issue.params?.weft === notYetMark.weft) return [notYet(path, valueAt(written, path), issue.params.hint)]
        return [notAllowed(path, issue.message, valueAt(written, path))]
      case 'too_small':
      case 'too_big':
        return [notAllowed(path, outOfRange(issue), valueAt(written, path))]
      default:
        return [notAllowed(path, issue.message, valueAt(written, path))]
    }
  })
}

/** Of the alternatives, the one whose outer type fits what was written; its findings lie deeper in the path. */
function likeliestBranch(issue: z.core.$ZodIssueInvalidUnion): z.core.$ZodIssue[] {
  const fits = issue.errors.find((branch) => !branch.some((i) => i.code === 'invalid_type' && i.path.length === 0))
  if (fits !== undefined) return fits
  const expected = issue.errors.flatMap((branch) =>
    branch.flatMap((i) => (i.code === 'invalid_type' ? [i.expected] : [])),
  )
  const message = `expected ${[...new Set(expected)].map(noun).join(' or ')}`
  return [{ code: 'invalid_type', expected: message as never, path: [], message, input: undefined }]
}

function unknownKey(schema: z.ZodType, written: unknown, path: Path): Finding {
  const key = String(path.at(-1))
  const known = keysAt(schema, written, path.slice(0, -1))
  const suggestion = nearest(key, known)
  const hint = suggestion !== null ? `did you mean \`${suggestion}\`?` : `known here: ${known.join(', ')}`
  return { path, code: 'WEFT_CONFIG_UNKNOWN_KEY', message: `\`${key}\` is not a known key`, hint }
}

/** An entry whose `type` (the last step of the path) is none of the declared ones. */
function unknownType(schema: z.ZodType, path: Path, entry: unknown): Finding {
  const union = schemaAt(schema, undefined, path.slice(0, -1))
  const { later = [] } = (union?.meta() ?? {}) as { later?: string[] }
  const { type } = (typeof entry === 'object' && entry !== null ? entry : {}) as { type?: unknown }
  if (typeof type === 'string' && later.includes(type)) return notYet(path, type)
  const options: unknown[] = union instanceof z.ZodDiscriminatedUnion ? [...union.options] : []
  const known = options.flatMap((option) => (isForFiles(option) ? (typeOf(option) ?? []) : []))
  if (typeof type !== 'string') return { ...wrongType(path, 'string', type), hint: `known: ${known.join(', ')}` }
  const suggestion = nearest(type, [...known, ...later])
  const hint = suggestion === null ? `known: ${known.join(', ')}` : `did you mean \`${suggestion}\`?`
  return { path, code: 'WEFT_CONFIG_VALUE', message: `\`${type}\` is not a known type`, hint }
}

function notYet(path: Path, value: unknown, hint?: unknown): Finding {
  const key = String(path.findLast((step) => typeof step === 'string'))
  const shown = typeof value === 'string' ? `\`${key}: ${value}\`` : `\`${key}\``
  return {
    path,
    code: 'WEFT_CONFIG_NOT_YET',
    message: `${shown} does not work yet in this version`,
    hint: typeof hint === 'string' ? hint : 'remove it; the reference page lists what works',
  }
}

function wrongType(path: Path, expected: string, value: unknown): Finding {
  const wanted = expected.startsWith('expected ') ? expected : `expected ${noun(expected)}`
  if (value === undefined) return { path, code: 'WEFT_CONFIG_MISSING', message: 'is missing', hint: wanted }
  return { path, code: 'WEFT_CONFIG_TYPE', message: `${wanted}, found ${describe(value)}`, hint: null }
}

/** The value is shown unless the message already quotes it. */
function notAllowed(path: Path, reason: string, value: unknown): Finding {
  const shown =
    value === undefined || typeof value === 'object' || reason.includes(String(value))
      ? ''
      : `, found ${describe(value)}`
  return { path, code: 'WEFT_CONFIG_VALUE', message: `${reason}${shown}`, hint: null }
}

function outOfRange(issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig): string {
  const small = issue.code === 'too_small'
  const bound = small ? issue.minimum : issue.maximum
  const unit =
    issue.origin === 'array' ? (bound === 1 ? ' entry' : ' entries') : issue.origin === 'string' ? ' characters' : ''
  if (issue.exact) return `must have exactly ${bound}${unit}`
  const verb = unit === '' ? 'be' : 'have'
  return `must ${verb} at ${small ? 'least' : 'most'} ${bound}${unit}`
}

function noun(type: string): string {
  const nouns: Record<string, string> = {
    string: 'text',
    array: 'a list',
    object: 'an object',
    record: 'an object',
    int: 'a whole number',
    number: 'a number',
    boolean: 'true or false',
  }
  return nouns[type] ?? type
}

/** Characters of a value in a message. */
const maxShown = 80

function describe(value: unknown): string {
  if (value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'an object'
  const text = JSON.stringify(value)
  return text.length > maxShown ? `${text.slice(0, maxShown)}…` : text
}

function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, step) => (value as Record<string | number, unknown> | null)?.[step], root)
}

/** The keys that an object's declaration knows at a path, those without function included. */
function keysAt(root: z.ZodType, written: unknown, path: Path): string[] {
  const found = choose(schemaAt(root, written, path), valueAt(written, path))
  return found instanceof z.ZodObject ? Object.keys(found.shape) : []
}

/** The declaration at a path; where it depends on the type that was written, on that. */
function schemaAt(root: z.ZodType, written: unknown, path: Path): z.ZodType | undefined {
  let schema = unwrapped(root)
  let value = written
  for (const step of path) {
    const container = choose(schema, value)
    value = (value as Record<string | number, unknown> | null | undefined)?.[step]
    if (container instanceof z.ZodObject) schema = unwrapped(container.shape[step])
    else if (container instanceof z.ZodArray) schema = unwrapped(container.element as z.ZodType)
  }
  return schema
}

/** Of alternatives, the one that is meant. */
function choose(schema: z.ZodType | undefined, value: unknown): z.ZodType | undefined {
  if (!(schema instanceof z.ZodUnion)) return schema
  const options = schema.options.map((option) => unwrapped(option as z.ZodType))
  const objects = options.filter((option) => option instanceof z.ZodObject)
  const type = (value as { type?: unknown } | null | undefined)?.type
  if (type === undefined) return objects.find((option) => typeOf(option) === null) ?? objects[0]
  return objects.find((option) => typeOf(option) === type) ?? objects[0]
}

/** Not one that only a program can write. */
function isForFiles(schema: unknown): boolean {
  return schema instanceof z.ZodObject && schema.meta()?.valueOnly !== true
}

/** The value of an object's literal `type`. */
function typeOf(schema: unknown): string | null {
  const type = schema instanceof z.ZodObject ? schema.shape.type : null
  return type instanceof z.ZodLiteral ? String(type.value) : null
}

function unwrapped(schema: z.ZodType | undefined): z.ZodType | undefined {
  if (schema instanceof z.ZodPipe) return unwrapped(schema.in as z.ZodType)
  if (schema instanceof z.ZodPrefault || schema instanceof z.ZodDefault) return unwrapped(schema.unwrap() as z.ZodType)
  if (schema instanceof z.ZodNullable || schema instanceof z.ZodOptional) return unwrapped(schema.unwrap() as z.ZodType)
  return schema
}
