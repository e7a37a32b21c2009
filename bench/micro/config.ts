/** A configuration's way to the engine in its three steps, at 1,000 routes and clusters. */
import { validate } from '../../src/config/validate.js'
import { compileSnapshot } from '../../src/proxy/compile-snapshot.js'
import { encodeSnapshot } from '../../src/proxy/encode-snapshot.js'
import type { MicroBench } from './micro-bench.js'

const written = {
  listeners: [{ name: 'edge', address: '127.0.0.1:8080' }],
  routes: Array.from({ length: 1000 }, (_, at) => ({
    name: `route-${at}`,
    hosts: [`host-${at}.example`],
    forward: [{ cluster: `cluster-${at}` }],
  })),
  clusters: Array.from({ length: 1000 }, (_, at) => ({ name: `cluster-${at}`, endpoints: ['127.0.0.1:9000'] })),
}

function validated() {
  const { config, issues } = validate(written)
  if (config === null) throw new Error(`the configuration of the benchmark is invalid: ${JSON.stringify(issues[0])}`)
  return config
}

export const configBenches: readonly MicroBench[] = [
  { name: 'validate 1,000 routes', mustMicros: null, prepare: () => validated },
  {
    name: 'compile 1,000 routes',
    mustMicros: null,
    prepare: () => {
      const config = validated()
      return () => compileSnapshot(config, 'config')
    },
  },
  {
    name: 'encode 1,000 routes',
    mustMicros: null,
    prepare: () => {
      const snapshot = compileSnapshot(validated(), 'config')
      return () => encodeSnapshot(snapshot)
    },
  },
]
