/**
 * The doors of one proxy on this thread. Each configuration names those that there should be; a door that stays keeps
 * its connections.
 */
import type { Addon } from '../native/index.js'
import { HttpDoor } from './http-door.js'

/** A listener that has a door, and where it is bound. */
export interface DoorPlan {
  name: string
  address: string
}

export class ThreadDoors {
  private readonly addon: Addon
  private readonly proxy: number
  private readonly doors = new Map<string, HttpDoor>()
  /** On their way out. */
  private readonly leaving = new Set<HttpDoor>()

  constructor(addon: Addon, proxy: number) {
    this.addon = addon
    this.proxy = proxy
  }

  /** Opens what is new and lets go of what is gone. Throws when an address cannot be listened on. */
  serve(plans: readonly DoorPlan[]): void {
    const wanted = new Map(plans.map((plan) => [keyOf(plan), plan]))
    for (const [key, door] of this.doors) {
      if (wanted.has(key)) continue
      this.doors.delete(key)
      this.leaving.add(door)
      door.leave()
      void door.gone.then(() => this.leaving.delete(door))
    }
    for (const [key, { name, address }] of wanted) {
      if (this.doors.has(key)) continue
      const { addon, proxy } = this
      const colon = address.lastIndexOf(':')
      const host = address.slice(0, colon).replace(/^\[|\]$/g, '')
      this.doors.set(key, new HttpDoor({ addon, proxy, name, host, port: Number(address.slice(colon + 1)) }))
    }
  }

  /** Every door accepts no more; resolves when the last connection behind one has ended. */
  leave(): Promise<void> {
    this.serve([])
    return Promise.all([...this.leaving].map((door) => door.gone)).then(() => {})
  }

  /** At once, with every connection: an open app would abort the process when its thread ends. */
  close(): void {
    for (const door of [...this.doors.values(), ...this.leaving]) door.close()
    this.doors.clear()
    this.leaving.clear()
  }
}

function keyOf({ name, address }: DoorPlan): string {
  return `${name} ${address}`
}
