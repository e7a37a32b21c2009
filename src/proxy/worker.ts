/**
 * One traffic thread: loads the addon, hands this thread's loop to the engine when told to, and says so. Entry of
 * `worker.js`.
 *
 * Invariants: no `dns.resolve*`, no `process.exit` in here (both touch what other threads use); the thread ends only by
 * being terminated, after which the main thread calls `detach`.
 */
import { parentPort } from 'node:worker_threads'
import { loadAddon } from '../native/index.js'

/** What a thread is told: whose traffic to carry, and as which of its workers. */
export interface Attachment {
  proxy: number
  worker: number
}

const addon = loadAddon()
// The listener also keeps the thread alive, whatever handles the engine has open.
parentPort?.on('message', ({ proxy, worker }: Attachment) => {
  addon.attach(proxy, worker)
  parentPort?.postMessage('serving')
})
