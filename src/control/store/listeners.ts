/**
 * Who is told of something, each for itself: one that throws is named in the log, and neither the others nor the commit
 * that is told of notice it.
 */
export class Listeners<Event> {
  private readonly all = new Set<(event: Event) => void>()
  private readonly warn: (message: string) => void

  /** `warn` is told what a listener threw. */
  constructor(warn: (message: string) => void) {
    this.warn = warn
  }

  add(listener: (event: Event) => void): () => void {
    // A wrapper, so that the same function added twice is two listeners.
    const entry = (event: Event) => listener(event)
    this.all.add(entry)
    return () => void this.all.delete(entry)
  }

  tell(event: Event): void {
    for (const listener of [...this.all]) {
      try {
        listener(event)
      } catch (error) {
        this.warn(`a listener of the store failed: ${error instanceof Error ? error.stack : String(error)}`)
      }
    }
  }
}

/** Where a store was opened without a log. */
export function warnByProcess(message: string): void {
  process.emitWarning(message)
}
