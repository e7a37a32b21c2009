/**
 * A folder as it would be found after a cut of power: files as they were at their last flush, names as they were at the
 * last flush of the folder. What was written and not flushed is not there.
 *
 * It looks at the flushes of the whole process: one folder at a time.
 */
import { fstatSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { scratchFolder } from './scratch.js'

export interface PowerCut {
  /** A copy of the folder, as the disk has it now. */
  cut(): string
  /** How often something was flushed. */
  flushes(): number
  end(): void
}

type Flushing = Pick<FileHandle, 'sync' | 'datasync' | 'fd'>

export async function watchFlushes(folder: string, onFlush: () => void = () => {}): Promise<PowerCut> {
  const contents = new Map<string, Buffer>()
  let names = new Map<string, string>()
  let count = 0
  const probe = await open(folder, 'r')
  const prototype = Object.getPrototypeOf(probe) as Flushing
  await probe.close()
  const real = { sync: prototype.sync, datasync: prototype.datasync }
  const note = ({ fd }: Flushing) => {
    const found = fstatSync(fd)
    if (found.isDirectory()) {
      if (found.ino !== statSync(folder).ino) return
      names = new Map(readdirSync(folder).map((name) => [name, idOf(statSync(join(folder, name), { bigint: true }))]))
    } else contents.set(idOf(fstatSync(fd, { bigint: true })), readFileSync(`/proc/self/fd/${fd}`))
    count += 1
    onFlush()
  }
  for (const name of ['sync', 'datasync'] as const) {
    prototype[name] = async function (this: FileHandle) {
      await real[name].call(this)
      note(this)
    }
  }
  return {
    flushes: () => count,
    cut() {
      const copy = join(scratchFolder(), 'data')
      mkdirSync(copy, { mode: 0o700 })
      for (const [name, id] of names) writeFileSync(join(copy, name), contents.get(id) ?? '', { mode: 0o600 })
      return copy
    },
    end: () => void Object.assign(prototype, real),
  }
}

/** Numbers of inodes are given out again. */
function idOf({ ino, birthtimeNs }: { ino: bigint; birthtimeNs: bigint }): string {
  return `${ino} ${birthtimeNs}`
}
