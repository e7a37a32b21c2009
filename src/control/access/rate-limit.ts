/**
 * How often each caller may ask: a token bucket per name, as a generic cell rate (one number per caller).
 *
 * Invariant: memory is bounded; a caller whose bucket is full again is forgotten.
 */

export interface RateLimitOptions {
  perSecond: number
  burst: number
  /** Monotonic. */
  nowMs: () => number
}

/** Callers that are remembered at most; beyond them the one that came first is forgotten. */
const maxCallers = 10_000

export class RateLimit {
  /** When each caller's bucket will be full. */
  private readonly fullAtMs = new Map<string, number>()
  private readonly options: RateLimitOptions

  constructor(options: RateLimitOptions) {
    this.options = options
  }

  /** 0 when the caller may go on, else the milliseconds after which it may. */
  take(caller: string): number {
    const { perSecond, burst, nowMs } = this.options
    const now = nowMs()
    const costMs = 1_000 / perSecond
    const fullAt = Math.max(this.fullAtMs.get(caller) ?? 0, now) + costMs
    const overMs = fullAt - now - burst * costMs
    if (overMs > 0) return Math.ceil(overMs)
    this.fullAtMs.delete(caller)
    this.fullAtMs.set(caller, fullAt)
    const [oldest] = this.fullAtMs
    if (oldest !== undefined && (this.fullAtMs.size > maxCallers || oldest[1] <= now)) this.fullAtMs.delete(oldest[0])
    return 0
  }
}
