/**
 * What a start finds in the data folder: the newest whole snapshot and the commits after it, up to the first damage.
 *
 * Invariants: nothing damaged is read twice or deleted, it is set aside; every finding is a sentence for the log;
 * commits are taken only in unbroken order; a folder whose beginning is lost is refused rather than taken for empty.
 */
import { open, readdir, readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { WeftError } from '../../errors.js'
import { listNumbered, type Numbered, setAside } from './data-folder.js'
import { readFrames } from './frame.js'
import { readSnapshot } from './snapshot.js'
import { StoreState } from './state.js'
import type { Commit } from './store.js'

export interface Recovered {
  state: StoreState
  /** The log to go on with; `null` when a new one must be begun. */
  log: { path: string; bytes: number } | null
  /**
   * Logs to set aside once a snapshot of the recovered state stands. When there is one, acknowledged commits may be
   * gone, and numbers that were given out must not be given out again.
   */
  damaged: string[]
  findings: string[]
}

/** `warn` is told what a watcher of the state threw. */
export async function recover(folder: string, warn: (message: string) => void): Promise<Recovered> {
  const recovered: Recovered = { state: new StoreState(warn), log: null, damaged: [], findings: [] }
  await loadSnapshot(folder, recovered)
  const logs = await listNumbered(folder, 'log')
  const { state } = recovered
  for (const [i, log] of logs.entries()) {
    const next = logs[i + 1]
    if (next !== undefined && next.revision <= state.revision + 1) continue // the snapshot holds all of it
    if (log.revision > state.revision + 1) breakOff(log, recovered)
    else await replay(log, next, recovered)
  }
  if (state.revision === 0) await refuseLostBeginning(folder, recovered)
  return recovered
}

async function loadSnapshot(folder: string, { state, findings }: Recovered): Promise<void> {
  for (const { file, revision } of (await listNumbered(folder, 'snapshot')).reverse()) {
    const snapshot = await readSnapshot(file)
    if (snapshot !== null) return state.load(snapshot.revision, snapshot.retained)
    const aside = await setAside(file)
    findings.push(
      `the snapshot of revision ${revision} is damaged; it is kept as ${basename(aside)}, an older one serves`,
    )
  }
}

async function replay(log: Numbered, next: Numbered | undefined, recovered: Recovered): Promise<void> {
  const { state, findings } = recovered
  const bytes = await readFile(log.file)
  const { payloads, goodBytes, damage } = readFrames(bytes)
  for (const payload of payloads) {
    const commit = JSON.parse(payload.toString()) as Commit
    if (commit.revision === state.revision + 1) state.apply(commit)
  }
  recovered.log = { path: log.file, bytes: goodBytes }
  if (damage === null) return
  const name = basename(log.file)
  if (damage === 'tail' && next === undefined) {
    await cut(log.file, goodBytes)
    findings.push(
      `${name}: ${bytes.length - goodBytes} bytes at the end are no whole commit, as after a write that was cut short; ` +
        `cut off after revision ${state.revision}`,
    )
    return
  }
  recovered.damaged.push(log.file)
  recovered.log = null
  findings.push(
    `${name} is damaged at byte ${goodBytes} with commits behind it; recovered up to revision ${state.revision}, ` +
      `LATER COMMITS ARE LOST; the file is kept as ${name}.damaged`,
  )
}

/** A log that does not join what was recovered. */
function breakOff({ file }: Numbered, recovered: Recovered): void {
  const name = basename(file)
  recovered.damaged.push(file)
  recovered.log = null
  recovered.findings.push(
    `${name} does not follow revision ${recovered.state.revision}: LATER COMMITS ARE LOST; kept as ${name}.damaged`,
  )
}

/** Nothing could be read where something stood. */
async function refuseLostBeginning(folder: string, { damaged }: Recovered): Promise<void> {
  const aside = (await readdir(folder)).filter((name) => name.includes('.damaged'))
  if (damaged.length === 0 && aside.length === 0) return
  const names = [...damaged.map((file) => basename(file)), ...aside].join(', ')
  throw new WeftError('WEFT_STORE_CORRUPT', `nothing in ${folder} can be read up from its beginning: ${names}`, {
    hint: 'an empty mesh would be put in force otherwise: restore the folder from a copy, or name an empty one',
  })
}

async function cut(file: string, bytes: number): Promise<void> {
  const handle = await open(file, 'r+')
  try {
    await handle.truncate(bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
}
