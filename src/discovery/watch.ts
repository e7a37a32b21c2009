/**
 * Tells when watched files have changed, whatever replaces them: an editor that writes in place or renames, a
 * deployment that swaps a symbolic link.
 *
 * Events of the folders only say "look"; what is looked at are signatures, and every two seconds without an event, for
 * file systems that have none. A change is told once two looks in a row see the same, so that a file is not read while
 * it is being written.
 */
import { type FSWatcher, realpathSync, watch } from 'node:fs'
import { dirname } from 'node:path'
import { fixedFolder, matchFiles } from '../config/files/glob.js'
import { signatureOf, type Watched } from '../config/files/signature.js'

const settleMs = 50
const pollMs = 2_000
/** A file that never rests is told of all the same. */
const mostLooks = 20

export interface FileWatch {
  /** Follows these from now on; what has changed since they were read is told soon. */
  renew(files: readonly Watched[]): void
  close(): void
}

export function watchFiles(files: readonly Watched[], changed: () => void): FileWatch {
  const following = new Following(changed)
  following.renew(files)
  return following
}

class Following implements FileWatch {
  private readonly changed: () => void
  private readonly poll: NodeJS.Timeout
  private files: readonly Watched[] = []
  private folders = new Map<string, FSWatcher>()
  private timer: NodeJS.Timeout | null = null
  private pending = ''
  private looks = 0

  constructor(changed: () => void) {
    this.changed = changed
    this.poll = setInterval(() => this.soon(), pollMs).unref()
  }

  renew(files: readonly Watched[]): void {
    this.files = files
    this.follow()
    this.soon()
  }

  close(): void {
    clearInterval(this.poll)
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
    for (const folder of this.folders.values()) folder.close()
    this.folders.clear()
  }

  private soon(): void {
    this.timer ??= setTimeout(() => {
      this.timer = null
      this.look()
    }, settleMs).unref()
  }

  private look(): void {
    const now = this.files.map(({ path }) => signatureOf(path))
    if (now.every((signature, index) => signature === this.files[index]?.signature)) {
      this.pending = ''
      this.looks = 0
      return
    }
    const seen = now.join('\n')
    this.looks += 1
    if (seen !== this.pending && this.looks < mostLooks) {
      this.pending = seen
      this.soon()
      return
    }
    this.files = this.files.map(({ path }, index) => ({ path, signature: now[index] ?? '' }))
    this.pending = ''
    this.looks = 0
    this.follow()
    this.changed()
  }

  /** Watches the folders in which the files, and what symbolic links lead to, stand now. */
  private follow(): void {
    const wanted = new Set(this.files.flatMap(({ path }) => [fixedFolder(path), ...matchFiles(path).flatMap(behind)]))
    for (const [folder, watcher] of this.folders) {
      if (wanted.has(folder)) continue
      watcher.close()
      this.folders.delete(folder)
    }
    for (const folder of wanted) if (!this.folders.has(folder)) this.open(folder)
  }

  /** A folder that cannot be watched, or is gone, is left to the looks without events. */
  private open(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, () => this.soon())
      const forget = () => {
        watcher.close()
        if (this.folders.get(folder) === watcher) this.folders.delete(folder)
      }
      watcher.on('error', forget)
      this.folders.set(folder, watcher)
    } catch {
      this.folders.delete(folder)
    }
  }
}

function behind(path: string): string[] {
  try {
    return [dirname(realpathSync(path))]
  } catch {
    return []
  }
}
