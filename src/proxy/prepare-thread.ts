/** The thread that prepares one file and ends: entry of the bundle `prepare-thread.js`. */
import { parentPort, workerData } from 'node:worker_threads'
import type { Watched } from '../config/files/signature.js'
import { WeftError } from '../errors.js'
import { type NumbersSoFar, ScriptNumbers } from '../filters/script-source.js'
import { type Prepared, prepareEndpoints, prepareFile } from './prepare.js'

/** What it is to prepare: a configuration, or the endpoints of one cluster. */
export type Task =
  | { kind: 'config'; file: string; numbers: NumbersSoFar }
  | { kind: 'endpoints'; cluster: string; file: string }

/** What comes back. A `WeftError` loses its class on the way, so its parts travel. */
export interface Answer {
  result: Prepared | Uint8Array | null
  error: Pick<WeftError, 'code' | 'message' | 'hint' | 'issues'> | null
  /** What was read, also when it was refused. */
  watched: Watched[]
}

async function answer(task: Task): Promise<Answer> {
  const watched: Watched[] = []
  try {
    const result =
      task.kind === 'config'
        ? await prepareFile(task.file, (file) => watched.push(file), new ScriptNumbers(task.numbers))
        : await prepareEndpoints(task.cluster, task.file)
    return { result, error: null, watched }
  } catch (error) {
    if (!(error instanceof WeftError)) throw error
    const { code, message, hint, issues } = error
    return { result: null, error: { code, message, hint, issues }, watched }
  }
}

parentPort?.postMessage(await answer(workerData as Task))
