/**
 * One traffic thread: loads the addon, hands this thread's loop to the engine when told to, opens the doors that it is
 * told of, and says so. Entry of `worker.js`.
 *
 * Invariants: no `dns.resolve*`, no `process.exit` in here (both touch what other threads use); the thread ends only by
 * being terminated, after which the main thread calls `detach`.
 */
import { parentPort } from 'node:worker_threads'
import type { DoorPlan, ThreadDoors } from '../door/thread-doors.js'
import { loadAddon } from '../native/index.js'

/** What a thread is told: whose traffic to carry, and as which of its workers. */
export interface Attachment {
  proxy: number
  worker: number
}

/** What a thread that serves is asked; it answers with the number. */
export type Order = { order: number } & DoorOrder

/** The doors that there are to be; null: all go, and the answer comes when the last of them is gone. */
export interface DoorOrder {
  doors: readonly DoorPlan[] | null
}

export interface Obeyed {
  order: number
  /** Why it could not be done. */
  error: string | null
}

const addon = loadAddon()
let attached = -1
let doors: ThreadDoors | null = null

// The listener also keeps the thread alive, whatever handles the engine has open.
parentPort?.on('message', (message: Attachment | Order) => {
  if ('order' in message) {
    void obey(message).then(
      () => answer({ order: message.order, error: null }),
      (error: Error) => answer({ order: message.order, error: error.message }),
    )
    return
  }
  addon.attach(message.proxy, message.worker)
  attached = message.proxy
  parentPort?.postMessage('serving')
})

async function obey({ doors: plans }: DoorOrder): Promise<void> {
  if (doors === null) {
    // The library behind doors is loaded where there is one.
    const { ThreadDoors } = await import('../door/thread-doors.js')
    doors ??= new ThreadDoors(addon, attached)
  }
  if (plans === null) await doors.leave()
  else doors.serve(plans)
}

function answer(obeyed: Obeyed): void {
  parentPort?.postMessage(obeyed)
}
