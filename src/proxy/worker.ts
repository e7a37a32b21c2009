/**
 * One traffic thread: loads the addon, hands this thread's loop to the engine when told to, and says so. Entry of
 * `worker.js`.
 *
 * Invariants: no `dns.resolve*`, no `process.exit` in here (both touch what other threads use); the thread ends only by
 * being terminated, after which the main thread calls `detach`.
 */
import { parentPort } from 'node:worker_threads'
import type { FilterLine } from '../filters/script-host.js'
import type { ScriptSource } from '../filters/script-source.js'
import { loadAddon } from '../native/index.js'

/** What a thread is told: whose traffic to carry, and as which of its workers, once it has loaded these filters. */
export interface Attachment {
  proxy: number
  worker: number
  scripts: ScriptSource[]
}

/** Further filters to load. */
export interface Loading {
  load: ScriptSource[]
  number: number
}

/** What a thread says: that it serves, how a {@link Loading} ended, a line of a filter's. */
export type Told = 'serving' | { loaded: number; error: string | null } | { line: FilterLine }

const addon = loadAddon()
// The listener also keeps the thread alive, whatever handles the engine has open.
parentPort?.on('message', async (order: Attachment | Loading) => {
  if ('load' in order) return tell({ loaded: order.number, error: await failureOf(load(order.load)) })
  await load(order.scripts)
  addon.attach(order.proxy, order.worker)
  tell('serving')
})

async function load(scripts: ScriptSource[]): Promise<void> {
  if (scripts.length === 0) return
  const { loadScripts } = await import('../filters/script-host.js')
  await loadScripts(addon, scripts, (line) => tell({ line }))
}

async function failureOf(loading: Promise<void>): Promise<string | null> {
  try {
    await loading
    return null
  } catch (error) {
    return (error as Error).message
  }
}

function tell(told: Told): void {
  parentPort?.postMessage(told)
}
