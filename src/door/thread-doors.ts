/**
 * The doors of one proxy on this thread. Each configuration names those that there should be; a door that stays keeps
 * its connections.
 */
import { serialOf } from '../config/serial.js'
import type { Addon } from '../native/index.js'
import { HttpDoor } from './http-door.js'
import { loadSocket, type SocketPlan } from './socket/load.js'
import type { SocketLog } from './socket/mount.js'
import { Topics } from './socket/topics.js'

/** A listener that has a door, and where it is bound. */
export interface DoorPlan {
  name: string
  address: string
  /** WebSockets that end here. */
  sockets: readonly SocketPlan[]
}

export interface ThreadDoorsOptions {
  log: SocketLog
  /** No other thread has subscribers of the proxy's topics. */
  alone: boolean
}

export class ThreadDoors {
  private readonly addon: Addon
  private readonly proxy: number
  private readonly doors = new Map<string, HttpDoor>()
  /** On their way out. */
  private readonly leaving = new Set<HttpDoor>()

  /** Told of what sockets write to the log. */
  private readonly log: SocketLog
  readonly topics: Topics

  constructor(addon: Addon, proxy: number, { log, alone }: ThreadDoorsOptions) {
    this.addon = addon
    this.proxy = proxy
    this.log = log
    this.topics = new Topics(proxy, !alone)
  }

  /** Opens what is new and lets go of what is gone. Throws when an address cannot be listened on. */
  async serve(plans: readonly DoorPlan[]): Promise<void> {
    const fresh = plans.filter((plan) => !this.doors.has(keyOf(plan)))
    const loaded = await Promise.all(fresh.map(({ sockets }) => Promise.all(sockets.map(loadSocket))))
    const wanted = new Map(plans.map((plan) => [keyOf(plan), plan]))
    for (const [key, door] of this.doors) {
      if (wanted.has(key)) continue
      this.doors.delete(key)
      this.leaving.add(door)
      door.leave()
      void door.gone.then(() => this.leaving.delete(door))
    }
    for (const [place, plan] of fresh.entries()) {
      if (this.doors.has(keyOf(plan))) continue
      const { name, address } = plan
      const { addon, proxy, topics, log } = this
      const colon = address.lastIndexOf(':')
      const host = address.slice(0, colon).replace(/^\[|\]$/g, '')
      const port = Number(address.slice(colon + 1))
      const sockets = loaded[place] ?? []
      this.doors.set(keyOf(plan), new HttpDoor({ addon, proxy, name, host, port, sockets, topics, log }))
    }
  }

  /** Every door but those that stay accepts no more; resolves when the last connection behind one has ended. */
  async leave(staying: readonly DoorPlan[]): Promise<void> {
    await this.serve(staying)
    await Promise.all([...this.leaving].map((door) => door.gone))
  }

  /** At once, with every connection: an open app would abort the process when its thread ends. */
  close(): void {
    for (const door of [...this.doors.values(), ...this.leaving]) door.close()
    this.doors.clear()
    this.leaving.clear()
    this.topics.close()
  }
}

function keyOf({ name, address, sockets }: DoorPlan): string {
  const handlers = sockets.map(({ handler }) => (handler === null ? 0 : serialOf(handler)))
  return `${name} ${address} ${handlers} ${JSON.stringify(sockets)}`
}
