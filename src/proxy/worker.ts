/**
 * One traffic thread: loads the addon, hands this thread's loop to the engine and says so. Entry of `worker.js`.
 *
 * Invariants: no `dns.resolve*`, no `process.exit` in here (both touch what other threads use); the thread ends only by
 * being terminated, after which the main thread calls `detach`.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { loadAddon } from '../native/index.js'

export interface WorkerData {
  proxy: number
  worker: number
}

const { proxy, worker } = workerData as WorkerData
loadAddon().attach(proxy, worker)
// A listener keeps the thread alive whatever handles the engine has open.
parentPort?.on('message', () => {})
parentPort?.postMessage('ready')
