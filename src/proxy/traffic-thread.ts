/** Starts a traffic thread and tells of its life. The only place that knows `worker_threads`. */
import { Worker } from 'node:worker_threads'
import type { Attachment, DoorOrder, Obeyed } from './worker.js'

export interface TrafficThread {
  /** Puts the engine on the thread; resolves when it serves there, rejects when the thread ends before that. */
  attach(attachment: Attachment): Promise<void>
  /** Has a thread that serves do something; rejects with why it could not, or when the thread ends before. */
  ask(order: DoorOrder): Promise<void>
  /** Resolves, never rejects, with the reason when the thread has ended. */
  ended: Promise<string>
  terminate(): void
}

export type StartThread = () => TrafficThread

/** JavaScript in a traffic thread is a loader and, later, filters in place; the traffic itself is in the engine's memory. */
const resourceLimits = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 2 }

export const startThread: StartThread = () =>
  followThread(new Worker(new URL('./worker.js', import.meta.url), { resourceLimits }))

/** The life of a thread that answers an {@link Attachment} with one message when it serves. */
export function followThread(thread: Worker): TrafficThread {
  let failure: string | null = null
  thread.once('error', (error) => {
    failure = error.message
  })
  const ended = new Promise<string>((resolve) => {
    thread.once('exit', (code) => resolve(failure ?? `exit code ${code}`))
  })
  let orders = 0
  return {
    ask(order) {
      orders += 1
      const number = orders
      return new Promise((resolve, reject) => {
        const hear = (message: 'serving' | Obeyed) => {
          if (message === 'serving' || message.order !== number) return
          thread.off('message', hear)
          if (message.error === null) resolve()
          else reject(new Error(message.error))
        }
        thread.on('message', hear)
        thread.postMessage({ order: number, ...order })
        void ended.then((reason) => reject(new Error(reason)))
      })
    },
    attach(attachment) {
      thread.postMessage(attachment)
      return new Promise((resolve, reject) => {
        thread.once('message', () => resolve())
        void ended.then((reason) => reject(new Error(reason)))
      })
    },
    ended,
    terminate: () => void thread.terminate(),
  }
}
