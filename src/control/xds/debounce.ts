/** Puts off work until nothing has asked for it for a while, and never longer than a bound. The clock is handed in. */

export interface DebounceOptions {
  quietMs: number
  maxMs: number
  now(): number
  setTimer(run: () => void, ms: number): unknown
  clearTimer(timer: unknown): void
}

export interface Debounce {
  ask(): void
  /** Drops what waits. */
  cancel(): void
}

export function debounce(run: () => void, { quietMs, maxMs, now, setTimer, clearTimer }: DebounceOptions): Debounce {
  let firstAt: number | null = null
  let timer: unknown = null
  const cancel = () => {
    if (timer !== null) clearTimer(timer)
    timer = null
    firstAt = null
  }
  return {
    ask() {
      const at = now()
      firstAt ??= at
      if (timer !== null) clearTimer(timer)
      timer = setTimer(
        () => {
          cancel()
          run()
        },
        Math.max(0, Math.min(quietMs, firstAt + maxMs - at)),
      )
    },
    cancel,
  }
}
