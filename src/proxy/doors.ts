/**
 * The doors of one proxy: on its worker threads, or on the caller's own loop.
 *
 * Invariants: what is behind a door is loaded only where a listener has one, and on the main thread first; the addresses
 * are the engine's, which keeps them, so that opening a door on one cannot fail for a reason that a person can mend.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { SocketLog } from '../door/socket/mount.js'
import type { Topics } from '../door/socket/topics.js'
import type { DoorPlan, ThreadDoors } from '../door/thread-doors.js'
import type { Addon } from '../native/index.js'
import { offerPackageTo } from './offer-package.js'
import type { Workers } from './workers.js'

export class Doors {
  private readonly addon: Addon
  private here: ThreadDoors | null = null
  private proxy = -1
  private workers: Workers | null = null
  private loaded = false
  private readonly log: SocketLog
  /** This thread's way to the subscribers in worker threads. */
  private outlet: Promise<Topics> | null = null

  constructor(addon: Addon, log: SocketLog) {
    this.addon = addon
    this.log = log
  }

  /** To the subscribers of a topic in every thread. */
  async publish(proxy: number, topic: string, data: string | Uint8Array): Promise<void> {
    if (this.here !== null) this.here.topics.publish(topic, data)
    else if (this.workers !== null) {
      this.outlet ??= import('../door/socket/topics.js').then(({ Topics }) => new Topics(proxy, true))
      const outlet = await this.outlet
      outlet.publish(topic, data)
    }
  }

  /** Loads what these doors need; hands them back. */
  async ready(doors: DoorPlan[]): Promise<DoorPlan[]> {
    if (doors.length > 0 && !this.loaded) {
      const { loadUws } = await import('../door/uws.js')
      loadUws()
      this.loaded = true
    }
    return doors
  }

  serveOn(workers: Workers): void {
    this.workers = workers
  }

  /** On this thread's loop, which the engine serves already. */
  async serveHere(proxy: number, doors: readonly DoorPlan[]): Promise<void> {
    this.proxy = proxy
    if (doors.length === 0 && this.here === null) return
    if (this.here === null) {
      const { ThreadDoors } = await import('../door/thread-doors.js')
      this.here = new ThreadDoors(this.addon, proxy, { log: this.log, alone: true })
    }
    offerPackageTo(doors.flatMap(({ sockets }) => sockets))
    await this.here.serve(doors)
  }

  /** After a change of the configuration. */
  async change(doors: DoorPlan[]): Promise<void> {
    await this.ready(doors)
    if (this.workers === null) await this.serveHere(this.proxy, doors)
    else await this.workers.serveDoors(doors)
  }

  /**
   * Accepts no more but at doors that stay, while `drained` waits for what is open, and gives connections that are idle
   * then the time that a door leaves them. Resolves with what `drained` says.
   */
  async leaveWith(deadlineMs: number, staying: readonly DoorPlan[], drained: () => Promise<number>): Promise<number> {
    const end = performance.now() + deadlineMs
    const gone = Promise.all([this.here?.leave(staying), this.workers?.leaveDoors(staying)])
    const open = await drained()
    await Promise.race([gone, delay(Math.max(0, end - performance.now()), undefined, { ref: false })])
    return open
  }

  /** At once. Those on threads go with their threads. */
  close(): void {
    this.here?.close()
    this.here = null
    void this.outlet?.then((outlet) => outlet.close())
    this.outlet = null
  }
}
