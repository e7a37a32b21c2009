/** What every micro benchmark is: a name and a call, with what it needs prepared beforehand. */
export interface MicroBench {
  readonly name: string
  /** The longest median a call may take, in µs; null where the figure is only for orientation. */
  readonly mustMicros: number | null
  /** Returns the call to measure, or null when what it needs is not built. */
  readonly prepare: () => Call | null | Promise<Call | null>
}

/** What is measured; a promise is waited for. */
export type Call = () => unknown
