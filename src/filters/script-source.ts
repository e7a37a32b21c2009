/** A filter as the threads are told to load it, and the numbers by which the engine knows filters. */
import type { FilterDefinition } from './definition.js'
import type { PoolSettings } from './pool/pool-scripts.js'

/** Crosses to threads (structured clone), unless it holds a definition. */
export interface ScriptSource {
  /** The engine's number for it. */
  id: number
  /** What makes it the same as before: its place, its module with the mark of its content, its options. */
  key: string
  name: string
  /** Path in the configuration. */
  path: (string | number)[]
  /** Of the module, with the mark of its content: another content is another module to a thread. */
  url: string | null
  options: unknown
  /** Of a filter that runs in a pool. */
  pool: PoolSettings | null
  /** Of a filter that has no module. It cannot leave its thread. */
  definition: FilterDefinition | null
}

/** The numbers so far, as they cross to the thread that prepares a configuration. */
export interface NumbersSoFar {
  known: [key: string, id: number][]
  /** The last number given; threads count together. */
  counter: SharedArrayBuffer
}

/** Of all proxies of this thread, and of the threads that prepare for them. */
const counter = new SharedArrayBuffer(4)

/** Gives each key of one proxy one number that nothing else in the process ever had. */
export class ScriptNumbers {
  private readonly known: Map<string, number>
  private readonly counter: SharedArrayBuffer

  constructor(before: NumbersSoFar = { known: [], counter }) {
    this.known = new Map(before.known)
    this.counter = before.counter
  }

  of(key: string): number {
    let id = this.known.get(key)
    if (id === undefined) {
      id = Atomics.add(new Uint32Array(this.counter), 0, 1) + 1
      this.known.set(key, id)
    }
    return id
  }

  /** What another thread has numbered. */
  learn(sources: readonly ScriptSource[]): void {
    for (const { key, id } of sources) this.known.set(key, id)
  }

  soFar(): NumbersSoFar {
    return { known: [...this.known], counter: this.counter }
  }
}
