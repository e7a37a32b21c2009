/** Crossings between TypeScript and the engine: the cheapest one is the floor of whatever calls per request. */
import { existsSync } from 'node:fs'
import { loadAddon } from '../../src/native/index.js'
import type { MicroBench } from './micro-bench.js'

export const boundaryBenches: readonly MicroBench[] = [
  {
    name: 'one call into the engine and back',
    mustMicros: 0.5,
    prepare: () => {
      if (!existsSync('dist/weft.node')) return null
      const addon = loadAddon()
      const proxy = addon.createProxy('bench', 1)
      return () => addon.active(proxy)
    },
  },
]
