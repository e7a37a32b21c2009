/** The one list of registries. */
import { file } from './file.js'
import type { Registry, Source } from './registry.js'

export const registries: Readonly<Record<Source['type'], Registry>> = { file }
