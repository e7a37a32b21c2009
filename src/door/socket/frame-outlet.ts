/**
 * Frames on their way into an exchange: all that is written in one turn of the loop crosses the boundary in one call.
 *
 * Invariants: after the engine has said that it takes no more, nothing is handed over before its `drain`; what waits
 * meanwhile is counted in `waiting`.
 */
import type { FrameSink } from './frames.js'
import type { SocketPlace } from './mount.js'

const nothing = Buffer.alloc(0)
let dirty: FrameOutlet[] = []

function flushDirty(): void {
  const outlets = dirty
  dirty = []
  for (const outlet of outlets) outlet.flush()
}

export class FrameOutlet implements FrameSink {
  destroyed = false
  /** Bytes that the engine has not taken. */
  waiting = 0
  private readonly door: SocketPlace['door']
  private readonly exchange: number
  private chunks: Buffer[] = []
  private scheduled = false
  private stuck = false
  private last = false

  constructor(door: SocketPlace['door'], exchange: number) {
    this.door = door
    this.exchange = exchange
  }

  cork(): void {}

  uncork(): void {}

  write(bytes: Buffer | string, done?: () => void): void {
    const chunk = typeof bytes === 'string' ? Buffer.from(bytes) : bytes
    this.chunks.push(chunk)
    this.waiting += chunk.length
    done?.()
    this.schedule()
  }

  /** Nothing follows what was written. */
  finish(): void {
    this.last = true
    this.schedule()
  }

  drained(): void {
    this.stuck = false
    this.flush()
  }

  flush(): void {
    this.scheduled = false
    if (this.stuck || this.destroyed || (this.waiting === 0 && !this.last)) return
    const [first = nothing] = this.chunks
    const bytes = this.chunks.length > 1 ? Buffer.concat(this.chunks, this.waiting) : first
    this.chunks = []
    this.waiting = 0
    this.stuck = !this.door.doorBody(this.exchange, bytes, this.last)
    this.destroyed = this.last
  }

  private schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    if (dirty.length === 0) setImmediate(flushDirty)
    dirty.push(this)
  }
}
