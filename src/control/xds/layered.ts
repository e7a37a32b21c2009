/**
 * A map that begins as what shared ones say and holds only what differs from them, so that a thousand streams that were
 * sent the same hold it once.
 *
 * Invariant: the shared maps are never written; where two of them know a name, the first one counts.
 */
export class Layered<Value, Shared extends Value = Value> {
  readonly shared: readonly ReadonlyMap<string, Shared>[]
  /** Undefined: not there, whatever the shared ones say. */
  private readonly own = new Map<string, Value | undefined>()

  constructor(shared: readonly ReadonlyMap<string, Shared>[] = []) {
    this.shared = shared
  }

  /** Whether it says what the shared ones say and nothing else. */
  get isPlain(): boolean {
    return this.own.size === 0
  }

  /** The shared ones where they stand as they are; none where anything differs. */
  get whole(): readonly ReadonlyMap<string, Shared>[] {
    return this.isPlain ? this.shared : []
  }

  get size(): number {
    if (this.shared.length === 0) return this.own.size
    if (this.isPlain && this.shared.length === 1) return this.shared[0]?.size ?? 0
    let size = 0
    for (const _ of this.keys()) size += 1
    return size
  }

  get isEmpty(): boolean {
    return this.keys().next().done === true
  }

  get(name: string): Value | undefined {
    if (this.own.size > 0) {
      const value = this.own.get(name)
      if (value !== undefined || this.own.has(name)) return value
    }
    for (const map of this.shared) {
      const value = map.get(name)
      if (value !== undefined) return value
    }
    return undefined
  }

  has(name: string): boolean {
    return this.get(name) !== undefined
  }

  set(name: string, value: Value): void {
    this.own.set(name, value)
  }

  delete(name: string): void {
    if (this.shared.some((map) => map.has(name))) this.own.set(name, undefined)
    else this.own.delete(name)
  }

  *keys(): Generator<string> {
    for (const [index, map] of this.shared.entries()) {
      for (const name of map.keys()) if (!this.isCovered(name, index)) yield name
    }
    for (const [name, value] of this.own) if (value !== undefined) yield name
  }

  *values(): Generator<Value> {
    for (const name of this.keys()) {
      const value = this.get(name)
      if (value !== undefined) yield value
    }
  }

  private isCovered(name: string, index: number): boolean {
    if (this.own.has(name)) return true
    for (let before = 0; before < index; before += 1) if (this.shared[before]?.has(name)) return true
    return false
  }
}
