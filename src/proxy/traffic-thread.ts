/** Starts a traffic thread and tells of its life. The only place that knows `worker_threads`. */
import { Worker } from 'node:worker_threads'
import type { ScriptSource } from '../filters/script-source.js'
import type { AuthorLine } from './filter-lines.js'
import type { Attachment, Order, Told } from './worker.js'

export interface TrafficThread {
  /** Puts the engine on the thread; resolves when it serves there, rejects when the thread ends before that. */
  attach(attachment: Attachment): Promise<void>
  /**
   * Has a thread that serves do something; rejects with why it could not, or when the thread ends before.
   */
  ask(order: Order): Promise<void>
  /** Loads further filters; rejects when one cannot be loaded. A thread that ends meanwhile has no say. */
  load(scripts: ScriptSource[]): Promise<void>
  /** Called with each line that a filter or a socket writes to the log. */
  onLine(listener: (line: AuthorLine) => void): void
  /** Resolves, never rejects, with the reason when the thread has ended. */
  ended: Promise<string>
  terminate(): void
}

export type StartThread = () => TrafficThread

/** JavaScript in a traffic thread is a loader and filters in place; the traffic itself is in the engine's memory. */
const resourceLimits = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 2 }

export const startThread: StartThread = () =>
  followThread(new Worker(new URL('./worker.js', import.meta.url), { resourceLimits }))

/** The life of a thread that answers an {@link Attachment} with `serving`. */
export function followThread(thread: Worker): TrafficThread {
  let failure: string | null = null
  thread.once('error', (error) => {
    failure = error.message
  })
  const ended = new Promise<string>((resolve) => {
    thread.once('exit', (code) => resolve(failure ?? `exit code ${code}`))
  })
  let orders = 0
  const until = (done: (told: Told) => boolean) =>
    new Promise<Told>((resolve, reject) => {
      const listen = (told: Told) => {
        if (!done(told)) return
        thread.off('message', listen)
        resolve(told)
      }
      thread.on('message', listen)
      void ended.then((reason) => reject(new Error(reason)))
    })
  const obeyed = async (order: Order) => {
    orders += 1
    const number = orders
    thread.postMessage({ order: number, ...order })
    const told = await until((told) => typeof told === 'object' && 'order' in told && told.order === number)
    return typeof told === 'object' && 'order' in told ? told.error : null
  }
  const demand = (error: string | null) => {
    if (error !== null) throw new Error(error)
  }
  return {
    async attach(attachment) {
      thread.postMessage(attachment)
      await until((told) => told === 'serving')
    },
    ask: async (order) => demand(await obeyed(order)),
    load: async (load) => demand(await obeyed({ load }).catch(() => null)),
    onLine(listener) {
      thread.on('message', (told: Told) => {
        if (typeof told === 'object' && 'line' in told) listener(told.line)
      })
    },
    ended,
    terminate: () => void thread.terminate(),
  }
}
