// Writes the files of a code generator's response into a folder.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fromBinary } from '@bufbuild/protobuf'
import { CodeGeneratorResponseSchema } from '@bufbuild/protobuf/wkt'

const [, , input, folder] = process.argv
const { file: files, error } = fromBinary(CodeGeneratorResponseSchema, readFileSync(input))
if (error !== '') throw new Error(error)
for (const { name, content } of files) {
  const path = join(folder, name)
  mkdirSync(dirname(path), { recursive: true })
  // The comments only repeat the names beside them.
  writeFileSync(
    path,
    content
      .replace(/\/\*\*[\s\S]*?\*\//g, '')
      .replace(/[ \t]+$/gm, '')
      .replace(/\n{2,}/g, '\n'),
  )
}
console.log(`generate-protos: ${files.length} files`)
