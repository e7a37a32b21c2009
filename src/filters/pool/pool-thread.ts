/** One thread of the pool, with filters as their authors write them. Entry of `pool-thread.js`, called by piscina. */
import { parentPort } from 'node:worker_threads'
import { importFilter, readyFilter } from '../load-filter.js'
import { failure, type Kept, type LoadedFilter, runPhase, type Said } from '../run-phase.js'
import type { FilterLine } from '../script-host.js'
import type { PhaseCall, PoolAnswer, PoolScript } from './call.js'
import { type Runner, serveTasks } from './serve-tasks.js'

export default serveTasks(async ({ name, url, options }: PoolScript): Promise<Runner> => {
  const lineOf = (level: FilterLine['level']) => (message: string) =>
    parentPort?.postMessage({ filter: name, level, message } satisfies FilterLine)
  const log = { info: lineOf('info'), warn: lineOf('warn'), error: lineOf('error') }
  const filter = await readyFilter(await importFilter(url), options, log)
  return (call) => run(filter, call)
})

function run(filter: LoadedFilter, { phase, text, bytes, last, kept }: PhaseCall): PoolAnswer | Promise<PoolAnswer> {
  const own = (kept as Kept | null) ?? { state: undefined, request: null }
  const said = runPhase(filter, phase, text, own, bytes === null ? undefined : { bytes, last })
  return said instanceof Promise ? said.then((late) => answer(filter, late, own)) : answer(filter, said, own)
}

/** What can be sent: a view of a larger buffer would take all of it along, and a state may be no plain data. */
function answer({ definition, keeps }: LoadedFilter, said: Said, left: Kept): PoolAnswer {
  const kept = keeps ? left : null
  if (definition.state !== undefined) {
    try {
      structuredClone(left.state)
    } catch (error) {
      const said = failure(new TypeError(`in a pool its state must be plain data: ${(error as Error).message}`))
      return { said, kept: { ...left, state: undefined } }
    }
  }
  if (!Array.isArray(said)) return { said, kept }
  return { said: [said[0], new Uint8Array(said[1])], kept }
}
