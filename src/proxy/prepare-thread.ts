/** The thread that prepares one configuration file and ends: entry of the bundle `prepare-thread.js`. */
import { parentPort, workerData } from 'node:worker_threads'
import { WeftError } from '../errors.js'
import { type Prepared, prepareFile } from './prepare.js'

/** What comes back. A `WeftError` loses its class on the way, so its parts travel. */
export type Answer =
  | { prepared: Prepared; error: null }
  | { prepared: null; error: Pick<WeftError, 'code' | 'message' | 'hint' | 'issues'> }

async function answer(file: string): Promise<Answer> {
  try {
    return { prepared: await prepareFile(file), error: null }
  } catch (error) {
    if (!(error instanceof WeftError)) throw error
    const { code, message, hint, issues } = error
    return { prepared: null, error: { code, message, hint, issues } }
  }
}

parentPort?.postMessage(await answer((workerData as { file: string }).file))
