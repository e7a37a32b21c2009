/**
 * Tells the bundled code where its files lie. The bundler writes `weftPlace.url` where the sources say
 * `import.meta.url`, so the files are unpacked when the first of them is asked for, and by `weft --help` never.
 */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { readPacked } from './packed.js'
import { unpack } from './unpack.js'

let url: string | null = null

Object.defineProperty(globalThis, 'weftPlace', {
  value: {
    get url(): string {
      url ??= pathToFileURL(join(unpack(readPacked()), 'dist', 'weft.js')).href
      return url
    },
  },
})
