/**
 * The application that `weft run -- app args` wraps: started when the proxy is ready, told of signals, its exit code
 * becomes ours.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { WeftError } from '../errors.js'

export interface AppProcess {
  pid: number
  /** Resolves, never rejects, with the exit code; 128 + n when signal n ended it, as shells count. */
  ended: Promise<number>
  signal(signal: NodeJS.Signals): void
}

/** Throws `WEFT_APP_FAILED` when the program cannot be started. */
export async function startApp([command, ...args]: readonly [string, ...string[]]): Promise<AppProcess> {
  const child = spawn(command, args, { stdio: 'inherit' })
  const ended = new Promise<number>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])))
  })
  await started(child, command)
  return { pid: child.pid ?? -1, ended, signal: (signal) => void child.kill(signal) }
}

function started(child: ChildProcess, command: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', (cause: NodeJS.ErrnoException) => {
      const why =
        cause.code === 'ENOENT' ? 'no such program' : cause.code === 'EACCES' ? 'permission denied' : cause.message
      reject(new WeftError('WEFT_APP_FAILED', `cannot start ${command}: ${why}`, { cause }))
    })
  })
}
