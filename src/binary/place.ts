/**
 * Stands in for what the script of an executable has not. The bundler writes `weftPlace.url` where the sources say
 * `import.meta.url`: the files are unpacked when the first of them is asked for, and by `weft --help` never; and
 * `weftPlace.import` where they import a module of a user.
 */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { constants, Script } from 'node:vm'
import { readPacked } from './packed.js'
import { unpack } from './unpack.js'

let url: string | null = null

Object.defineProperty(globalThis, 'weftPlace', {
  value: {
    import(specifier: string): Promise<unknown> {
      // Only a script that is compiled at run time may ask for the loader.
      const importModuleDynamically = constants.USE_MAIN_CONTEXT_DEFAULT_LOADER
      return new Script('(specifier) => import(specifier)', { importModuleDynamically }).runInThisContext()(specifier)
    },
    get url(): string {
      url ??= pathToFileURL(join(unpack(readPacked()), 'dist', 'weft.js')).href
      return url
    },
  },
})
