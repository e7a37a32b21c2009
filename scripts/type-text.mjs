// A JSON Schema as zod writes it, as the text of a TypeScript type with its documentation.

const plain = { string: 'string', number: 'number', integer: 'number', boolean: 'boolean', null: 'null' }

/** `indent` is that of the line in which the type stands. */
export function typeOf(schema, indent = '') {
  if (schema.typescript !== undefined) return schema.typescript
  if ('const' in schema) return literal(schema.const)
  if (schema.enum !== undefined) return schema.enum.map(literal).join(' | ')
  const choices = schema.anyOf ?? schema.oneOf
  if (choices !== undefined) return [...new Set(choices.map((choice) => typeOf(choice, indent)))].join(' | ')
  if (Array.isArray(schema.type)) return schema.type.map((type) => typeOf({ ...schema, type }, indent)).join(' | ')
  if (schema.type === 'array') return arrayOf(schema, indent)
  if (schema.type === 'object') return objectOf(schema, indent)
  const simple = plain[schema.type]
  if (simple !== undefined) return simple
  if (
    schema.type === undefined &&
    Object.keys(schema).every((key) => ['description', 'title', 'default', 'form'].includes(key))
  )
    return 'unknown'
  throw new Error(`no type can be written for ${JSON.stringify(schema)}`)
}

function arrayOf({ items }, indent) {
  const item = typeOf(items, indent)
  return /^[\w.]+$/.test(item) ? `${item}[]` : `(${item})[]`
}

function objectOf({ properties = {}, required = [], additionalProperties }, indent) {
  const inner = `${indent}  `
  const works = Object.entries(properties).filter(([, value]) => value.not === undefined)
  if (works.length === 0) {
    return `Record<string, ${additionalProperties ? typeOf(additionalProperties, indent) : 'never'}>`
  }
  const lines = works.map(([key, value]) => {
    const name = /^[A-Za-z_$][\w$]*$/.test(key) ? key : literal(key)
    const type = typeOf(value, inner)
    return `${comment(value, inner)}${inner}${name}${required.includes(key) ? `: ${type}` : `?: ${type} | undefined`}\n`
  })
  return `{\n${lines.join('')}${indent}}`
}

function comment({ description, default: fallback }, indent) {
  const empty = fallback === undefined || fallback === null || ['{}', '[]', '""'].includes(JSON.stringify(fallback))
  const parts = [description?.replace(/\.$/, ''), empty ? undefined : `Default: ${JSON.stringify(fallback)}`]
  const text = parts
    .filter((part) => part !== undefined)
    .join('. ')
    .replaceAll('*/', '*\u200b/')
  return text === '' ? '' : `${indent}/** ${text} */\n`
}

function literal(value) {
  return typeof value === 'string' ? `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'` : String(value)
}
