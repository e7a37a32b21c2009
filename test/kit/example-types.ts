/** Compiles examples, in TypeScript or JavaScript, as strictly as this package and against its types. */
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { outputOf } from './program.js'
import { scratchFolder } from './scratch.js'

/** Rejects with what the compiler says. */
export async function checkExampleTypes(...files: string[]): Promise<void> {
  const compilerOptions = {
    noEmit: true,
    allowJs: true,
    checkJs: true,
    typeRoots: [resolve('node_modules/@types')],
    paths: { weftmesh: [resolve('src/index.ts')], 'weftmesh/testing': [resolve('src/testing/index.ts')] },
  }
  const project = { extends: resolve('tsconfig.json'), compilerOptions, files: files.map((file) => resolve(file)) }
  const file = join(scratchFolder(), 'tsconfig.json')
  writeFileSync(file, JSON.stringify({ ...project, include: [], exclude: [] }))
  await outputOf('node', [resolve('node_modules/typescript/bin/tsc'), '-p', file], { timeoutMs: 60_000 })
}
