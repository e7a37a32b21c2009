/**
 * Topics of one proxy: who is subscribed in this thread, and the way to the other threads.
 *
 * Between threads a `BroadcastChannel` carries all that was published in one turn of the loop as one message: the
 * sender serialises once for any number of threads. With three receivers that was 3.7 µs a message at the sender where
 * a mesh of ports took 6.9, and 1.7 with sixteen in a batch.
 *
 * Invariants: a message reaches a subscriber at most once; messages of one publisher keep their order; a subscriber
 * decides by itself what becomes of it when it is slow, and delays nobody.
 */
import { BroadcastChannel } from 'node:worker_threads'

/** Text as UTF-8 bytes, so that it is encoded once for all subscribers. */
export interface Subscriber {
  deliver(data: Uint8Array, isBinary: boolean): void
}

type Published = [topic: string, data: string | Uint8Array]

export class Topics {
  private readonly subscribers = new Map<string, Set<Subscriber>>()
  private readonly channel: BroadcastChannel | null
  private outbox: Published[] = []

  /** `others`: there are threads besides this one that have subscribers. */
  constructor(proxy: number, others: boolean) {
    this.channel = others ? new BroadcastChannel(`weft-topics-${proxy}`) : null
    if (this.channel === null) return
    this.channel.onmessage = (event) => {
      for (const [topic, data] of (event as { data: Published[] }).data) this.deliver(topic, data, null)
    }
    // Waiting for messages is no reason for a process to live.
    this.channel.unref()
  }

  subscribe(topic: string, subscriber: Subscriber): boolean {
    let subscribed = this.subscribers.get(topic)
    if (subscribed === undefined) {
      subscribed = new Set()
      this.subscribers.set(topic, subscribed)
    }
    if (subscribed.has(subscriber)) return false
    subscribed.add(subscriber)
    return true
  }

  unsubscribe(topic: string, subscriber: Subscriber): boolean {
    const subscribed = this.subscribers.get(topic)
    if (subscribed === undefined || !subscribed.delete(subscriber)) return false
    if (subscribed.size === 0) this.subscribers.delete(topic)
    return true
  }

  /** To every subscriber of every thread but `except`. */
  publish(topic: string, data: string | Uint8Array, except: Subscriber | null = null): void {
    if (this.channel !== null) {
      if (this.outbox.length === 0) setImmediate(() => this.flush())
      // A copy: what is sent later must not change, and a view would take its whole buffer with it.
      this.outbox.push([topic, typeof data === 'string' ? data : Uint8Array.from(data)])
    }
    this.deliver(topic, data, except)
  }

  close(): void {
    this.flush()
    this.channel?.close()
  }

  private flush(): void {
    const { outbox } = this
    if (outbox.length === 0) return
    this.outbox = []
    this.channel?.postMessage(outbox)
  }

  private deliver(topic: string, data: string | Uint8Array, except: Subscriber | null): void {
    const subscribed = this.subscribers.get(topic)
    if (subscribed === undefined) return
    const isBinary = typeof data !== 'string'
    const bytes = isBinary ? data : Buffer.from(data)
    for (const subscriber of subscribed) if (subscriber !== except) subscriber.deliver(bytes, isBinary)
  }
}
