/** Starts traffic threads that can be told to go wrong, with the real engine on them. */
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { followThread, type TrafficThread } from '../../src/proxy/traffic-thread.js'

export const realAddon = process.env.WEFT_ADDON ?? join(import.meta.dirname, '../../dist/weft.node')

export type Fault = 'spin' | 'throw' | 'exhaust'

export class FaultyThreads {
  readonly started: Worker[] = []

  readonly start = (): TrafficThread => {
    const thread = new Worker(new URL('./faulty-worker.mjs', import.meta.url), {
      workerData: { addon: realAddon },
      resourceLimits: { maxOldGenerationSizeMb: 32 },
    })
    this.started.push(thread)
    return followThread(thread)
  }

  /** Makes the thread that was started last go wrong. */
  break(fault: Fault): void {
    this.started.at(-1)?.postMessage({ fault })
  }
}
