/**
 * The two documents that come from the declaration: the JSON Schema for editors and the reference page for people.
 * `scripts/generate` writes them, `scripts/check-generated` compares.
 */
import * as z from 'zod'
import { codes } from '../errors.js'
import { config } from './config.js'

/** The part of JSON Schema that the declaration uses. */
interface JsonSchema {
  type?: string | string[]
  title?: string
  description?: string
  /** How a value is written, where JSON Schema has no word for it. */
  form?: string
  default?: unknown
  enum?: string[]
  properties?: Record<string, JsonSchema>
  required?: string[]
  items?: JsonSchema
  anyOf?: JsonSchema[]
  /** Objects that their `type` tells apart. */
  oneOf?: JsonSchema[]
  const?: unknown
  /** Types that are known by name and do not work yet. */
  later?: string[]
  /** Only a program can write it. */
  valueOnly?: boolean
  not?: object
}

/** Keys that do not work yet are told to editors as never valid. */
export function configJsonSchema(): JsonSchema {
  return z.toJSONSchema(config, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      // What has a description works, though JSON Schema cannot say how it is checked.
      const later = zodSchema instanceof z.ZodCustom && jsonSchema.description === undefined
      if (later) Object.assign(jsonSchema, { not: {}, description: notYetText })
      if (jsonSchema.oneOf !== undefined) {
        const forFiles = (jsonSchema.oneOf as JsonSchema[]).filter(({ valueOnly }) => valueOnly !== true)
        Object.assign(jsonSchema, { oneOf: forFiles })
      }
    },
  }) as JsonSchema
}

const notYetText = 'Does not work yet in this version'

export function configReference(): string {
  const root = configJsonSchema()
  const sections = [...objects(root, '')].map(([path, schema]) => section(path, schema))
  const filter = root.properties?.listeners?.items?.properties?.filters?.items
  const errors = Object.entries(codes).map(([code, meaning]) => `| \`${code}\` | ${meaning} |`)
  return `${[
    '# Configuration reference',
    '',
    'Generated from the declaration in this folder by `npm run generate`; do not edit.',
    '',
    'Durations carry units (`1h2m3s4ms`), sizes are bytes or carry one (`64KiB`), paths are relative to the file.',
    '',
    ...sections,
    ...(filter === undefined ? [] : filterSections(filter)),
    '## Error codes',
    '',
    '| code | meaning |',
    '|---|---|',
    ...errors,
  ].join('\n')}\n`
}

/** Every object of the configuration with its path, outer ones first. */
function* objects(schema: JsonSchema, path: string): Generator<[string, JsonSchema]> {
  if (schema.properties !== undefined) {
    yield [path, schema]
    // The same on every noun that has them: they get a part of their own.
    for (const [key, value] of Object.entries(schema.properties))
      if (key !== 'filters') yield* objects(value, path === '' ? key : `${path}.${key}`)
  }
  if (schema.items !== undefined) yield* objects(schema.items, `${path}[]`)
  for (const choice of schema.anyOf ?? []) yield* objects(choice, path)
  for (const type of schema.oneOf ?? []) yield* objects(type, `${path} of type ${type.title}`)
}

function filterSections({ oneOf, later }: JsonSchema): string[] {
  const known = later?.map((word) => `\`${word}\``).join(', ')
  const types = (oneOf ?? []).flatMap((type) =>
    [...objects(type, `filters[] of type ${type.title}`)].map(([path, schema]) => section(path, schema)),
  )
  const refused = `Known, and refused because they do not work yet: the types ${known}.`
  return [
    '## `filters[]`',
    '',
    'Of listeners, routes and clusters: an object whose `type` says which, or whose `module` holds a filter in TypeScript.',
    '',
    refused,
    '',
    ...types,
  ]
}

function section(path: string, schema: JsonSchema): string {
  const entries = Object.entries(schema.properties ?? {})
  const works = entries.filter(([, value]) => value.not === undefined)
  const later = entries.filter(([, value]) => value.not !== undefined).map(([key]) => `\`${key}\``)
  const lines = [`## ${path === '' ? 'The file' : `\`${path}\``}`, '']
  if (schema.description !== undefined) lines.push(schema.description, '')
  lines.push('| key | type | default | |', '|---|---|---|---|')
  for (const [key, value] of works) lines.push(row(key, value, schema.required?.includes(key) ?? false))
  if (later.length > 0) lines.push('', `Known, and refused because they do not work yet: ${later.join(', ')}.`)
  return `${lines.join('\n')}\n`
}

function row(key: string, value: JsonSchema, required: boolean): string {
  const fallback = value.default === undefined || value.default === null ? '' : `\`${JSON.stringify(value.default)}\``
  return `| \`${key}\` | ${typeOf(value)} | ${required ? '**required**' : fallback} | ${value.description ?? ''} |`
}

function typeOf({ type, form, items, anyOf, oneOf, enum: words, const: literal }: JsonSchema): string {
  if (literal !== undefined) return `\`${literal}\``
  if (oneOf !== undefined) return 'object'
  if (words !== undefined) return words.map((word) => `\`${word}\``).join(' or ')
  if (form !== undefined) return form
  if (items !== undefined) return `list of ${typeOf(items)}`
  const choices = anyOf?.filter((choice) => choice.type !== 'null').map(typeOf)
  if (choices !== undefined) return [...new Set(choices)].join(' or ')
  return Array.isArray(type) ? type.join(' or ') : (type ?? 'any')
}
