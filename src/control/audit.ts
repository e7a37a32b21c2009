/**
 * The audit log: one JSON line per change (who, what, before, after) and per refusal, in a file for its owner alone.
 *
 * Changes are read from the store's commits, not from requests: whatever way a change takes, it stands here, and after a
 * crash the lines that are missing are written from the commits that are still known.
 *
 * Each replica writes the log of all changes, whoever made them; what it was too far behind for is said in the log.
 *
 * Invariants: lines stand in the order of revisions, each once; secrets do not stand here; an issuance is on the disk
 * before its certificate is given away, and those that wait together share one flush; a file of `maxBytes` gives way to a
 * new one, and `keptFiles` older ones stay.
 */
import { type FileHandle, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncFolder } from './store/data-folder.js'
import { formatKey, isResourceKind } from './store/key.js'
import type { Applied, Entry, Store } from './store/store.js'

export interface AuditOptions {
  store: Store
  file: string
  maxBytes?: number
  /** Told when lines cannot be written; they are tried again with the next ones. */
  warn: (message: string) => void
}

export interface AuditLine {
  time: string
  /** `change`; `denied` for a request that was refused for want of permission; `issued` for a certificate. */
  event: 'change' | 'denied' | 'issued'
  who: string
  /** `apply`, `rollback to 12`, `token create`, or the request that was denied. */
  why: string
  revision: number | null
  /** `KIND/NAMESPACE/NAME`. */
  what: string
  before: unknown
  after: unknown
}

interface Waiting {
  line: AuditLine
  /** Who must not go on before it is on the disk. */
  written: { resolve: () => void; reject: (error: Error) => void } | null
}

const keptFiles = 4
const elsewhere = 'look at those of other replicas, and at weft history'
/** Lines that share a write at most. */
const maxGroup = 1_000

export class AuditLog {
  private readonly options: AuditOptions
  private waiting: Waiting[] = []
  private writing: Promise<void> | null = null
  private handle: FileHandle | null = null
  private bytes = 0
  private lastFault: string | null = null
  private endWatch: () => void = () => {}

  private constructor(options: AuditOptions) {
    this.options = options
  }

  static async open(options: AuditOptions): Promise<AuditLog> {
    const log = new AuditLog(options)
    const { store, warn } = options
    const found = await lastRevision(options.file)
    // A store that was put back to an older state gives the numbers after it again.
    let last = Math.min(found, store.revision())
    let begun = found > 0
    log.endWatch = store.watch(last + 1, (event) => {
      if (event.type === 'commit') log.add(...linesOf(event.applied))
      else if (begun) warn(`the revisions ${last + 1} to ${event.revision} are not in this audit log: ${elsewhere}`)
      last = event.type === 'commit' ? event.applied.revision : event.revision
    })
    begun = true
    return log
  }

  /** Why the last lines are not in the file; null: they are. */
  fault(): string | null {
    return this.lastFault
  }

  denied(who: string, why: string, time: Date): void {
    this.add({
      time: time.toISOString(),
      event: 'denied',
      who,
      why,
      revision: null,
      what: '',
      before: null,
      after: null,
    })
  }

  /** A certificate: to whom, and what it says. Resolves when the line is on the disk; one that fails is not kept. */
  issued(who: string, identity: string, after: object, time: Date): Promise<void> {
    const line = { time: time.toISOString(), event: 'issued' as const, who, why: 'certificate', revision: null }
    return new Promise((resolve, reject) => {
      this.enqueue([{ line: { ...line, what: identity, before: null, after }, written: { resolve, reject } }])
    })
  }

  /** Resolves when everything that was told so far is in the file. */
  async settled(): Promise<void> {
    while (this.writing !== null) await this.writing
  }

  /** The newest lines, newest first. */
  async newest(limit: number): Promise<AuditLine[]> {
    await this.settled()
    const text = await readFile(this.options.file, 'utf8').catch(() => '')
    const lines = text.split('\n').filter((line) => line.endsWith('}'))
    return lines
      .slice(-limit)
      .reverse()
      .map((line) => JSON.parse(line) as AuditLine)
  }

  async close(): Promise<void> {
    this.endWatch()
    await this.settled()
    await this.handle?.close()
    this.handle = null
  }

  private add(...lines: AuditLine[]): void {
    this.enqueue(lines.map((line) => ({ line, written: null })))
  }

  private enqueue(waiting: Waiting[]): void {
    this.waiting.push(...waiting)
    this.writing ??= this.write()
  }

  private async write(): Promise<void> {
    await null
    while (this.waiting.length > 0) {
      const group = this.waiting.splice(0, maxGroup)
      const bytes = Buffer.from(group.map(({ line }) => `${JSON.stringify(line)}\n`).join(''))
      const urgent = group.some(({ written }) => written !== null)
      try {
        await this.append(bytes, urgent)
        this.lastFault = null
      } catch (error) {
        this.lastFault = (error as Error).message
        this.options.warn(`the audit log cannot be written: ${this.lastFault}`)
        // Nobody waits for these: they are tried again with the next line.
        this.waiting.unshift(...group.filter(({ written }) => written === null))
        for (const { written } of group) written?.reject(error as Error)
        break
      }
      for (const { written } of group) written?.resolve()
    }
    this.writing = null
    if (this.waiting.some(({ written }) => written !== null)) this.writing = this.write()
  }

  private async append(bytes: Buffer, urgent: boolean): Promise<void> {
    const { file, maxBytes = 64 * 1024 * 1024 } = this.options
    if (this.handle !== null && this.bytes > 0 && this.bytes + bytes.length > maxBytes) {
      await this.handle.close()
      this.handle = null
      await shift(file)
    }
    this.handle ??= await this.openFile(file)
    const { handle } = this
    try {
      await handle.writeFile(bytes)
      if (urgent) await handle.datasync()
    } catch (error) {
      // What came of it would stand there twice, or be the beginning of the next line.
      await handle.truncate(this.bytes).catch(() => {
        this.handle = null
        return handle.close()
      })
      throw error
    }
    this.bytes += bytes.length
  }

  private async openFile(file: string): Promise<FileHandle> {
    // A last line that was cut short must not swallow the next one.
    const torn = !/(^|\n)$/.test(await readFile(file, 'utf8').catch(() => ''))
    const handle = await open(file, 'a', 0o600)
    try {
      if (torn) await handle.writeFile('\n')
      // A new file has its name on the disk before anything in it is relied on.
      await syncFolder(dirname(file))
      this.bytes = (await handle.stat()).size
      return handle
    } catch (error) {
      await handle.close()
      throw error
    }
  }
}

function linesOf({ revision, atMs, author, reason, changes }: Applied): AuditLine[] {
  const time = new Date(atMs).toISOString()
  return changes.map(({ key, before, after }) => ({
    ...{ time, event: 'change' as const, who: author, why: reason, revision },
    ...{ what: formatKey(key), before: auditable(before), after: auditable(after) },
  }))
}

/** A token without its hash, a key without what it is sealed in. */
function auditable(entry: Entry | null): unknown {
  if (entry === null) return null
  if (isResourceKind(entry.key.kind)) return entry.value
  const { secretSha256: _, sealed: __, ...shown } = entry.value
  return shown
}

/** The revision of the last whole line, so that nothing is written twice. */
async function lastRevision(file: string): Promise<number> {
  const text = await readFile(file, 'utf8').catch(() => '')
  const lines = text.trimEnd().split('\n').reverse()
  for (const line of lines) {
    try {
      const { revision } = JSON.parse(line) as AuditLine
      if (revision !== null) return revision
    } catch {
      // a line that was cut short by the end of the process
    }
  }
  return 0
}

/** `audit.log` → `audit.log.1` → … */
async function shift(file: string): Promise<void> {
  await rm(`${file}.${keptFiles}`, { force: true })
  for (let n = keptFiles - 1; n >= 0; n -= 1) {
    const from = n === 0 ? file : `${file}.${n}`
    if (
      await stat(from).then(
        () => true,
        () => false,
      )
    )
      await rename(from, `${file}.${n + 1}`)
  }
}
