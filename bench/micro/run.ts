/**
 * Micro benchmarks of the TypeScript side (tinybench); those of the crates are divan's, run by `cargo bench`.
 *
 * Exit code 1 when a call with a budget took longer.
 */
import { Bench } from 'tinybench'
import { boundaryBenches } from './boundary.js'
import { configBenches } from './config.js'
import { doorBenches } from './door.js'
import { filterBenches } from './filters.js'
import { largeBenches } from './large.js'
import type { MicroBench } from './micro-bench.js'

const benches: readonly MicroBench[] = [
  ...configBenches,
  ...boundaryBenches,
  ...doorBenches,
  ...filterBenches,
  ...largeBenches,
]

const bench = new Bench({ time: 500, warmupTime: 100 })
for (const { name, prepare } of benches) {
  const call = await prepare()
  if (call === null) console.log(`${name}: left out, the engine is not built`)
  else bench.add(name, call)
}
await bench.run()
console.table(bench.table())

for (const { name, mustMicros } of benches) {
  const result = bench.getTask(name)?.result
  if (result === undefined) continue
  if (result.state !== 'completed') {
    console.error(`${name}: ${result.state}`)
    process.exitCode = 1
  } else if (mustMicros !== null && result.latency.p50 * 1000 > mustMicros) {
    console.error(`${name}: ${(result.latency.p50 * 1000).toFixed(2)} µs, at most ${mustMicros}`)
    process.exitCode = 1
  }
}
