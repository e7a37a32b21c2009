/**
 * One traffic thread: loads the addon, hands this thread's loop to the engine when told to, opens the doors that it is
 * told of, and says so. Entry of `worker.js`.
 *
 * Invariants: no `dns.resolve*`, no `process.exit` in here (both touch what other threads use); the thread ends only by
 * being terminated, after which the main thread calls `detach`.
 */
import { parentPort } from 'node:worker_threads'
import type { DoorPlan, ThreadDoors } from '../door/thread-doors.js'
import type { ScriptSource } from '../filters/script-source.js'
import { ThreadSheet } from '../filters/thread-sheet.js'
import { loadAddon } from '../native/index.js'
import type { AuthorLine } from './filter-lines.js'
import { offerPackageTo } from './offer-package.js'

/** What a thread is told: whose traffic to carry, and as which of its workers, once it has loaded these filters. */
export interface Attachment {
  proxy: number
  worker: number
  scripts: ScriptSource[]
  /** Of its {@link ThreadSheet}. */
  sheet: SharedArrayBuffer
}

/**
 * What a thread is asked besides: further filters to load, which of them are in force, the doors that there are to be, or
 * those that stay while all others go, and the answer comes when the last of them is gone.
 */
export type Order =
  | { load: ScriptSource[] }
  | { keep: number[] }
  | { doors: readonly DoorPlan[] }
  | { staying: readonly DoorPlan[] }

/** What a thread says: that it serves, how an {@link Order} ended and why it failed, a line of a filter's. */
export type Told = 'serving' | { order: number; error: string | null } | { line: AuthorLine }

const addon = loadAddon()
let attached = -1
let sheet = new ThreadSheet()
let doors: ThreadDoors | null = null

// The listener also keeps the thread alive, whatever handles the engine has open.
parentPort?.on('message', async (message: Attachment | ({ order: number } & Order)) => {
  if ('order' in message) return tell({ order: message.order, error: await failureOf(obey(message)) })
  sheet = new ThreadSheet(message.sheet)
  await load(message.scripts)
  addon.attach(message.proxy, message.worker)
  attached = message.proxy
  tell('serving')
})

async function obey(order: Order): Promise<void> {
  if ('load' in order) return load(order.load)
  if ('keep' in order) {
    const { keepScripts } = await import('../filters/script-host.js')
    return keepScripts(order.keep, writeLine)
  }
  // The library behind doors is loaded where there is one.
  const { ThreadDoors } = await import('../door/thread-doors.js')
  doors ??= new ThreadDoors(addon, attached, { log: (line) => tell({ line }), alone: false })
  if ('staying' in order) return doors.leave(order.staying)
  offerPackageTo(order.doors.flatMap(({ sockets }) => sockets))
  await doors.serve(order.doors)
}

async function load(scripts: ScriptSource[]): Promise<void> {
  if (scripts.length === 0) return
  const { loadScripts } = await import('../filters/script-host.js')
  await loadScripts(addon, scripts, writeLine, sheet)
}

function writeLine(line: AuthorLine): void {
  tell({ line })
}

async function failureOf(work: Promise<void>): Promise<string | null> {
  try {
    await work
    return null
  } catch (error) {
    return (error as Error).message
  }
}

function tell(told: Told): void {
  parentPort?.postMessage(told)
}
