/** The TypeScript filters of a proxy that serves on the caller's own loop. What they need is imported with the first one. */
import type { FilterLine } from '../filters/script-host.js'
import type { ScriptSource } from '../filters/script-source.js'
import { ThreadSheet } from '../filters/thread-sheet.js'
import type { Addon } from '../native/index.js'

export class OwnScripts {
  readonly sheet = new ThreadSheet()
  private readonly addon: Addon
  private readonly write: (line: FilterLine) => void
  private loaded = false

  constructor(addon: Addon, write: (line: FilterLine) => void) {
    this.addon = addon
    this.write = write
  }

  async load(scripts: ScriptSource[]): Promise<void> {
    this.loaded = true
    const { loadScripts } = await import('../filters/script-host.js')
    await loadScripts(this.addon, scripts, this.write, this.sheet)
  }

  /** Pools that no filter in force runs in may end. */
  async keep(scripts: ScriptSource[]): Promise<void> {
    if (!this.loaded) return
    const { keepScripts } = await import('../filters/script-host.js')
    keepScripts(
      scripts.map(({ id }) => id),
      this.write,
    )
  }

  async release(): Promise<void> {
    if (!this.loaded) return
    const { releaseScripts } = await import('../filters/script-host.js')
    await releaseScripts(this.write)
  }
}
