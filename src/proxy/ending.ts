/** The end of a `weft run` process: begun by a signal, by the admin server, by the application or by a successor. */
import { constants } from 'node:os'

/** A terminal tells every process of its group, and a parent tells its child again: one wish, not two. */
const sameWishMs = 100

/** The one switch from running to ending: thrown once, by whoever comes first. */
export class Ending {
  readonly begun: Promise<void>
  /** Resolves when a second signal asks to end at once. */
  readonly now: Promise<void>
  /** Resolves when the last exchange is over, or was cut. */
  readonly drained: Promise<void>
  by: NodeJS.Signals | null = null
  forced = false
  private at = 0
  private begin: () => void = () => {}
  private force: () => void = () => {}
  private settle: () => void = () => {}

  constructor() {
    this.begun = new Promise((resolve) => {
      this.begin = resolve
    })
    this.now = new Promise((resolve) => {
      this.force = resolve
    })
    this.drained = new Promise((resolve) => {
      this.settle = resolve
    })
  }

  signal(signal: NodeJS.Signals): void {
    const now = performance.now()
    if (signal === 'SIGINT' && this.by === 'SIGINT' && now - this.at < sameWishMs) return
    this.at = now
    if (this.by !== null) {
      this.forced = true
      this.force()
    }
    this.by = signal
    this.start()
  }

  start(): void {
    this.begin()
  }

  finish(): void {
    this.settle()
  }

  code(): number {
    return 128 + constants.signals[this.by ?? 'SIGTERM']
  }
}
