/**
 * What this replica has issued and still lasts: which serial numbers belong to an identity, and which keys were used.
 *
 * Lines of JSON in `issued.log`, read again at the start, so that an identity can be revoked after a restart. A line that
 * was cut short by the end of the process is left out; the file is written anew when most of its lines have ended.
 *
 * Invariant: what is given away after `add` has resolved is known after a crash; lines that wait together share one flush.
 */
import { type FileHandle, open, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncFolder } from '../store/data-folder.js'
import { writeWhole } from './key-file.js'

export interface Issued {
  serial: string
  /** SPIFFE ID, or the names of a certificate that a person asked for. */
  identity: string
  /** SHA-256 of the public key. */
  keyId: string
  /** Which authority has signed it. */
  authority: string
  notAfterMs: number
}

interface Waiting {
  issued: Issued
  resolve: () => void
  reject: (error: Error) => void
}

/** Lines that the file may hold for nothing. */
const spareLines = 10_000

export interface LedgerOptions {
  file: string
  /** Wall clock. */
  nowMs: () => number
  /** Told when a line cannot be written. */
  warn: (message: string) => void
}

export class Ledger {
  private readonly options: LedgerOptions
  private readonly bySerial = new Map<string, Issued>()
  private readonly byKey = new Map<string, Issued>()
  private readonly serials = new Map<string, Set<string>>()
  private waiting: Waiting[] = []
  /** In the file. */
  private lines = 0
  private writing: Promise<void> | null = null
  private handle: FileHandle | null = null

  private constructor(options: LedgerOptions) {
    this.options = options
  }

  static async open(options: LedgerOptions): Promise<Ledger> {
    const ledger = new Ledger(options)
    const text = await readFile(options.file, 'utf8').catch(() => '')
    for (const line of text.split('\n')) {
      const issued = parse(line)
      if (issued !== null && issued.notAfterMs > options.nowMs()) ledger.hold(issued)
    }
    if (text !== '') ledger.rewrite()
    return ledger
  }

  /** Known at once; resolves when it is on the disk. What could not be written goes there with a later one. */
  add(issued: Issued): Promise<void> {
    this.hold(issued)
    return new Promise((resolve, reject) => {
      this.waiting.push({ issued, resolve, reject })
      this.writing ??= this.write()
    })
  }

  get(serial: string): Issued | null {
    return this.bySerial.get(serial) ?? null
  }

  ofKey(keyId: string): Issued | null {
    return this.byKey.get(keyId) ?? null
  }

  ofIdentity(identity: string): Issued[] {
    return [...(this.serials.get(identity) ?? [])].flatMap((serial) => this.bySerial.get(serial) ?? [])
  }

  get size(): number {
    return this.bySerial.size
  }

  *[Symbol.iterator](): Generator<Issued> {
    yield* this.bySerial.values()
  }

  /** When the last certificate of an authority ends; 0 when it has issued none. */
  lastEndMs(authority: string): number {
    let last = 0
    for (const issued of this) if (issued.authority === authority) last = Math.max(last, issued.notAfterMs)
    return last
  }

  /** Forgets what has expired. */
  prune(): void {
    const now = this.options.nowMs()
    for (const issued of this) if (issued.notAfterMs <= now) this.drop(issued)
  }

  async close(): Promise<void> {
    while (this.writing !== null) await this.writing
    await this.handle?.close()
    this.handle = null
  }

  private hold(issued: Issued): void {
    this.bySerial.set(issued.serial, issued)
    this.byKey.set(issued.keyId, issued)
    const serials = this.serials.get(issued.identity) ?? new Set<string>()
    this.serials.set(issued.identity, serials.add(issued.serial))
  }

  private drop({ serial, keyId, identity }: Issued): void {
    this.bySerial.delete(serial)
    this.byKey.delete(keyId)
    const serials = this.serials.get(identity)
    serials?.delete(serial)
    if (serials?.size === 0) this.serials.delete(identity)
  }

  /** What lasts, and nothing else. A disk that is full keeps the old file, which says the same and more. */
  private rewrite(): void {
    this.prune()
    const text = [...this].map((issued) => `${JSON.stringify(issued)}\n`).join('')
    try {
      writeWhole(this.options.file, text, 0o600)
      // Held already, so written already.
      for (const { resolve } of this.waiting.splice(0)) resolve()
      this.lines = this.size
    } catch (error) {
      this.options.warn(`what was issued cannot be written down: ${(error as Error).message}`)
    }
  }

  private async write(): Promise<void> {
    await null
    while (this.waiting.length > 0) {
      const group = this.waiting.splice(0)
      try {
        await this.append(group.map(({ issued }) => `${JSON.stringify(issued)}\n`).join(''))
        this.lines += group.length
      } catch (error) {
        this.options.warn(`what was issued cannot be written down: ${(error as Error).message}`)
        // With the next line that can be written, all of it is.
        this.lines = Number.POSITIVE_INFINITY
        for (const { reject } of group) reject(error as Error)
        continue
      }
      for (const { resolve } of group) resolve()
      if (this.lines > 2 * this.size + spareLines) await this.compact()
    }
    this.writing = null
  }

  private async append(text: string): Promise<void> {
    this.handle ??= await this.openFile()
    const { handle } = this
    const { size } = await handle.stat()
    try {
      await handle.writeFile(text)
      await handle.datasync()
    } catch (error) {
      await handle.truncate(size).catch(() => {})
      throw error
    }
  }

  /** Its name is on the disk before any line in it is relied on: it may be new, or have replaced another. */
  private async openFile(): Promise<FileHandle> {
    const { file } = this.options
    const handle = await open(file, 'a', 0o600)
    try {
      await syncFolder(dirname(file))
      return handle
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  private async compact(): Promise<void> {
    await this.handle?.close()
    this.handle = null
    this.rewrite()
  }
}

function parse(line: string): Issued | null {
  if (!line.endsWith('}')) return null
  try {
    return JSON.parse(line) as Issued
  } catch {
    return null
  }
}
