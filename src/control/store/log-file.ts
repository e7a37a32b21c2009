/**
 * The append log: what `append` has returned from is on the disk.
 *
 * Invariants: a failed append leaves the file as it was, or the log refuses until it can be cut back; after a failed
 * flush nobody knows what the disk holds, so the log refuses for good; bytes that are not ours are noticed.
 */
import { open } from 'node:fs/promises'
import { WeftError } from '../../errors.js'

/** The part of a file that the log uses; tests hand in one that fails. */
export interface AppendFile {
  write(buffer: Buffer, offset: number, length: number, position: number): Promise<{ bytesWritten: number }>
  datasync(): Promise<void>
  truncate(length: number): Promise<void>
  stat(): Promise<{ size: number }>
  close(): Promise<void>
}

export class LogFile {
  readonly path: string
  private readonly file: AppendFile
  private length: number
  private dirty = false
  private lost: WeftError | null = null

  constructor(path: string, file: AppendFile, length: number) {
    this.path = path
    this.file = file
    this.length = length
  }

  /** Opens an existing file; appending would put bytes wherever the end is, positions are ours. */
  static async open(path: string, length: number): Promise<LogFile> {
    return new LogFile(path, await open(path, 'r+'), length)
  }

  get bytes(): number {
    return this.length
  }

  async append(frames: readonly Buffer[]): Promise<void> {
    if (this.lost !== null) throw this.lost
    const bytes = frames.length === 1 && frames[0] !== undefined ? frames[0] : Buffer.concat(frames)
    try {
      await this.mend()
      this.dirty = true
      await this.writeAll(bytes)
    } catch (cause) {
      await this.mend().catch(() => {}) // tried again before the next append
      throw cause instanceof WeftError ? cause : unwritable(this.path, cause as NodeJS.ErrnoException)
    }
    try {
      await this.file.datasync()
    } catch (cause) {
      // The kernel may have dropped the pages and marked them clean: trying again would succeed and prove nothing.
      this.lost = new WeftError('WEFT_STORE_UNWRITABLE', `${this.path} could not be flushed to the disk`, {
        hint: 'look at the disk, then restart; until then nothing is changed',
        cause,
      })
      throw this.lost
    }
    this.length += bytes.length
    this.dirty = false
  }

  async close(): Promise<void> {
    await this.file.close()
  }

  /** Cuts off what a failed append has left, and looks for what another process wrote. */
  private async mend(): Promise<void> {
    if (this.dirty) {
      await this.file.truncate(this.length)
      await this.file.datasync()
      this.dirty = false
      return
    }
    const { size } = await this.file.stat()
    if (size === this.length) return
    this.lost = new WeftError('WEFT_STORE_LOCKED', `another process has written to ${this.path}`, {
      hint: 'one folder, one control plane: end the other and restart this one',
    })
    throw this.lost
  }

  private async writeAll(bytes: Buffer): Promise<void> {
    let done = 0
    while (done < bytes.length) {
      const { bytesWritten } = await this.file.write(bytes, done, bytes.length - done, this.length + done)
      done += bytesWritten
    }
  }
}

export function unwritable(path: string, cause: NodeJS.ErrnoException): WeftError {
  const full = cause.code === 'ENOSPC' || cause.code === 'EDQUOT'
  const message = full ? `the disk of ${path} is full` : `cannot write to ${path}: ${cause.code ?? cause.message}`
  const hint = full ? 'nothing was changed; make room, then try again' : 'nothing was changed'
  return new WeftError('WEFT_STORE_UNWRITABLE', message, { hint, cause })
}
