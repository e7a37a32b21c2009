// Reduces a descriptor set to the messages that messages.txt names and writes it as a request for the code generator.
import { readFileSync, writeFileSync } from 'node:fs'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { CodeGeneratorRequestSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'

const [, , input, output] = process.argv
const list = readFileSync(new URL('messages.txt', import.meta.url), 'utf8')
const named = new Set()
for (const line of list.split('\n')) {
  if (line.startsWith('#')) continue
  const [packageName, ...names] = line.trim().split(' ')
  for (const name of names) named.add(`.${packageName}.${name}`)
}

const { file: files } = fromBinary(FileDescriptorSetSchema, readFileSync(input))
const defined = new Map() // type name → file name
const kept = new Set()
for (const file of files) {
  const prefix = file.package === '' ? '' : `.${file.package}`
  for (const type of file.enumType) keepIfNamed(`${prefix}.${type.name}`, file.name)
  for (const type of file.messageType) collect(type, `${prefix}.${type.name}`, file)
}
for (const name of named) if (!kept.has(name)) throw new Error(`messages.txt names ${name}, which is in no proto file`)

const pruned = files.flatMap((file) => {
  if (file.package === 'google.protobuf') return [plain(file)]
  const prefix = file.package === '' ? '' : `.${file.package}`
  file.enumType = file.enumType.filter(({ name }) => kept.has(`${prefix}.${name}`))
  file.messageType = file.messageType.filter(({ name }) => kept.has(`${prefix}.${name}`))
  if (file.enumType.length + file.messageType.length === 0) return []
  const uses = new Set()
  for (const type of file.messageType) prune(type, `${prefix}.${type.name}`, uses)
  file.dependency = [...new Set([...uses].map((name) => defined.get(name)))].filter((name) => name !== file.name).sort()
  return [plain(file)]
})
const request = create(CodeGeneratorRequestSchema, {
  fileToGenerate: pruned.filter(({ package: name }) => name !== 'google.protobuf').map(({ name }) => name),
  parameter: 'target=js+dts,import_extension=js,json_types=true',
  protoFile: pruned,
})
writeFileSync(output, toBinary(CodeGeneratorRequestSchema, request))

function keepIfNamed(name, file, always = false) {
  defined.set(name, file)
  if (always || named.has(name)) kept.add(name)
  return kept.has(name)
}

function collect(type, name, file) {
  const wellKnown = file.package === 'google.protobuf'
  const keep = keepIfNamed(name, file.name, wellKnown)
  for (const inner of type.enumType) keepIfNamed(`${name}.${inner.name}`, file.name, keep)
  for (const inner of type.nestedType) {
    if (inner.options?.mapEntry && keep) keepIfNamed(`${name}.${inner.name}`, file.name, true)
    else collect(inner, `${name}.${inner.name}`, file)
  }
}

function prune(type, name, uses) {
  type.nestedType = type.nestedType.filter((inner) => kept.has(`${name}.${inner.name}`))
  for (const inner of type.nestedType) prune(inner, `${name}.${inner.name}`, uses)
  const entries = type.nestedType.filter(({ options }) => options?.mapEntry)
  const hollow = new Set(entries.filter(({ field }) => field.length < 2).map((inner) => `${name}.${inner.name}`))
  type.nestedType = type.nestedType.filter((inner) => !hollow.has(`${name}.${inner.name}`))
  type.field = type.field.filter(
    ({ typeName, options }) =>
      !options?.deprecated && (typeName === '' || (kept.has(typeName) && !hollow.has(typeName))),
  )
  const oneofs = [...new Set(type.field.filter((field) => hasOneof(field)).map(({ oneofIndex }) => oneofIndex))].sort(
    (a, b) => a - b,
  )
  for (const field of type.field) {
    if (hasOneof(field)) field.oneofIndex = oneofs.indexOf(field.oneofIndex)
    if (field.typeName !== '') uses.add(field.typeName)
    field.options = undefined
  }
  type.oneofDecl = oneofs.map((index) => type.oneofDecl[index])
  for (const oneof of type.oneofDecl) oneof.options = undefined
  if (!type.options?.mapEntry) type.options = undefined
  for (const inner of type.enumType) plainEnum(inner)
}

function hasOneof(field) {
  return Object.hasOwn(field, 'oneofIndex') && field.oneofIndex !== undefined
}

/** Without options and comments, which name imports that are left out. */
function plain(file) {
  file.options = undefined
  file.sourceCodeInfo = undefined
  file.service = []
  file.extension = []
  file.publicDependency = []
  file.weakDependency = []
  for (const type of file.enumType) plainEnum(type)
  return file
}

function plainEnum(type) {
  type.options = undefined
  for (const value of type.value) value.options = undefined
}
