/**
 * Scripts whose threads keep ending are not given another one at once: a thread costs tens of milliseconds, and a filter
 * that ends one with each request would take the machine from all others.
 */

const freeEnds = 3
const withinMs = 10_000
const backoffMs = { first: 100, most: 5_000 }

interface Ends {
  count: number
  lastMs: number
  reason: string
}

/** Three ends are free, then each suspends its script for 100 ms, doubling up to 5 s; ten seconds without one forgive. */
export class Suspensions {
  private readonly scripts = new Map<number, Ends>()
  private readonly now: () => number

  constructor(now: () => number) {
    this.now = now
  }

  /** A script has ended its thread. */
  ended(script: number, reason: string): void {
    const known = this.scripts.get(script)
    const lastMs = this.now()
    const count = known !== undefined && lastMs - known.lastMs < withinMs ? known.count + 1 : 1
    this.scripts.set(script, { count, lastMs, reason })
  }

  /** Whether a script has ended a thread in the last ten seconds. */
  suspects(script: number): boolean {
    const ends = this.scripts.get(script)
    return ends !== undefined && this.now() - ends.lastMs < withinMs
  }

  /** Why a script may not run now; null when it may. */
  why(script: number): string | null {
    const ends = this.scripts.get(script)
    if (ends === undefined || ends.count <= freeEnds) return null
    const waitMs = Math.min(backoffMs.most, backoffMs.first * 2 ** (ends.count - freeEnds - 1))
    if (this.now() - ends.lastMs >= waitMs) return null
    return `it is suspended for ${waitMs} ms, because it has ended ${ends.count} threads: ${ends.reason}`
  }
}
