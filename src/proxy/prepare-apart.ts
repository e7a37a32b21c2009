/**
 * Prepares a configuration file in a thread of its own. The schema library and the parsed file need about ten
 * megabytes; ending the thread gives them back, where in the main thread they would stay for the life of the proxy.
 */
import { Worker } from 'node:worker_threads'
import type { Watched } from '../config/files/signature.js'
import { WeftError } from '../errors.js'
import { ScriptNumbers } from '../filters/script-source.js'
import type { Prepared } from './prepare.js'
import type { Answer, Task } from './prepare-thread.js'

/** `reading` is told of every file that was read, also when one of them was refused. */
export async function prepareApart(
  file: string,
  reading: (watched: Watched[]) => void = () => {},
  numbers = new ScriptNumbers(),
): Promise<Prepared> {
  const prepared = (await prepareInThread({ kind: 'config', file, numbers: numbers.soFar() }, reading)) as Prepared
  numbers.learn(prepared.plan.scripts)
  return prepared
}

/** A file of endpoints as an encoded update of the cluster. */
export async function prepareEndpointsApart(cluster: string, file: string): Promise<Uint8Array> {
  return (await prepareInThread({ kind: 'endpoints', cluster, file }, () => {})) as Uint8Array
}

function prepareInThread(task: Task, reading: (watched: Watched[]) => void): Promise<NonNullable<Answer['result']>> {
  const { file } = task
  const thread = new Worker(new URL('./prepare-thread.js', import.meta.url), { workerData: task })
  return new Promise((resolve, reject) => {
    let answer: Answer | null = null
    thread.once('message', (message: Answer) => {
      answer = message
    })
    thread.once('error', (cause) => reject(unprepared(file, cause.message, cause)))
    // Settled on exit, not on the message: only then has the heap been given back.
    thread.once('exit', (code) => {
      if (answer === null) return reject(unprepared(file, `its thread ended with code ${code}`))
      reading(answer.watched)
      if (answer.error !== null) reject(revive(answer.error))
      else if (answer.result === null) reject(unprepared(file, 'its thread had no answer'))
      else resolve(answer.result)
    })
  })
}

/** Never a plain error: a reload that fails must leave the proxy as it is. */
function unprepared(file: string, reason: string, cause?: Error): WeftError {
  return new WeftError('WEFT_CONFIG_UNPREPARED', `${file} could not be read: ${reason}`, {
    hint: 'when the installation was replaced meanwhile, start the proxy again',
    ...(cause === undefined ? {} : { cause }),
  })
}

function revive({ code, message, hint, issues }: NonNullable<Answer['error']>): WeftError {
  return new WeftError(code, message, { issues, ...(hint === null ? {} : { hint }) })
}
