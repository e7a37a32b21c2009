/** Starts a traffic thread and tells of its life in two promises. The only place that knows `worker_threads`. */
import { Worker } from 'node:worker_threads'
import type { WorkerData } from './worker.js'

export interface TrafficThread {
  /** Resolves when the engine serves on the thread; rejects when the thread ends before that. */
  ready: Promise<void>
  /** Resolves, never rejects, with the reason when the thread has ended. */
  ended: Promise<string>
  terminate(): void
}

export type StartThread = (data: WorkerData) => TrafficThread

/** JavaScript in a traffic thread is a loader and, later, filters in place; the traffic itself is in the engine's memory. */
const resourceLimits = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 2 }

export const startThread: StartThread = (data) => {
  const thread = new Worker(new URL('./worker.js', import.meta.url), { workerData: data, resourceLimits })
  let failure: string | null = null
  thread.once('error', (error) => {
    failure = error.message
  })
  const ended = new Promise<string>((resolve) => {
    thread.once('exit', (code) => resolve(failure ?? `exit code ${code}`))
  })
  const ready = new Promise<void>((resolve, reject) => {
    thread.once('message', () => resolve())
    void ended.then((reason) => reject(new Error(reason)))
  })
  return { ready, ended, terminate: () => void thread.terminate() }
}
