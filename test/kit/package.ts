/** The package as it was built, for tests of programs that use it. */
import { join } from 'node:path'
import type * as weft from '../../src/index.js'

export const dist = join(import.meta.dirname, '../../dist')

export function builtPackage(): Promise<typeof weft> {
  return import(`${dist}/index.js`)
}
