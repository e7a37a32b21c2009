/**
 * Prepares a configuration file in a thread of its own. The schema library and the parsed file need about ten
 * megabytes; ending the thread gives them back, where in the main thread they would stay for the life of the proxy.
 */
import { Worker } from 'node:worker_threads'
import { WeftError } from '../errors.js'
import type { Prepared } from './prepare.js'
import type { Answer } from './prepare-thread.js'

export function prepareApart(file: string): Promise<Prepared> {
  const thread = new Worker(new URL('./prepare-thread.js', import.meta.url), { workerData: { file } })
  return new Promise((resolve, reject) => {
    let answer: Answer | null = null
    thread.once('message', (message: Answer) => {
      answer = message
    })
    thread.once('error', (cause) => reject(unprepared(file, cause.message, cause)))
    // Settled on exit, not on the message: only then has the heap been given back.
    thread.once('exit', (code) => {
      if (answer === null) reject(unprepared(file, `its thread ended with code ${code}`))
      else if (answer.error === null) resolve(answer.prepared)
      else reject(revive(answer.error))
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
