/** Ends traffic threads of a proxy from inside, as a faulty filter would. */
import { readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'vitest'
import { scratchFolder } from './scratch.js'

export type Way = 'throw' | 'spin' | 'memory'

export class WorkerEnding {
  private readonly folder = scratchFolder()
  private readonly asked = new Set<number>()

  /** What a proxy has to be started with. */
  get env(): Record<string, string> {
    const module = pathToFileURL(join(import.meta.dirname, 'worker-ending.mjs')).href
    return { NODE_OPTIONS: `--import=${module}`, TEST_WORKER_ENDINGS: this.folder }
  }

  /** Resolves when the thread that has lived longest is about to end in this way. */
  async endOldest(way: Way): Promise<void> {
    await expect.poll(() => this.living()[0], { timeout: 10_000, interval: 10 }).toBeDefined()
    const thread = this.living()[0] ?? 0
    this.asked.add(thread)
    writeFileSync(join(this.folder, 'new'), way)
    renameSync(join(this.folder, 'new'), join(this.folder, `end-${thread}`))
    const taken = () => readdirSync(this.folder).includes(`ended-${thread}`)
    await expect.poll(taken, { timeout: 5000, interval: 5 }).toBe(true)
  }

  private living(): number[] {
    const ids = readdirSync(this.folder).flatMap((name) => (name.startsWith('alive-') ? [Number(name.slice(6))] : []))
    return ids.filter((id) => !this.asked.has(id)).sort((a, b) => a - b)
  }
}
