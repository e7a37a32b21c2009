/** Runs dist/weft, the command in one file, with an empty environment from an empty folder. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { scratchFolder } from './scratch.js'
import { WeftProcess } from './weft-process.js'

export const oneFile = join(import.meta.dirname, '../../dist/weft')
if (!existsSync(oneFile)) throw new Error(`${oneFile} is missing: scripts/build-binary`)

const running = new Set<WeftProcess>()

export function startOneFile(args: string[], env: Record<string, string> = {}, command = [oneFile]): WeftProcess {
  const started = new WeftProcess(args, env, { command, cwd: scratchFolder(), bare: true })
  running.add(started)
  return started
}

/** Runs it to its end. */
export async function runOneFile(args: string[], env: Record<string, string> = {}, command = [oneFile]) {
  const run = startOneFile(args, env, command)
  const code = await run.ended
  return { code, stdout: run.stdout, stderr: run.stderr }
}

export async function endOneFiles(): Promise<void> {
  for (const run of running) {
    run.signal('SIGKILL')
    await run.ended
  }
  running.clear()
}

/** The port that the start line names. */
export async function portOf(run: WeftProcess): Promise<number> {
  await run.says(' ready in ')
  const port = / http 127\.0\.0\.1:(\d+)/.exec(run.stderr)?.[1]
  if (port === undefined) throw new Error(`no port in: ${run.stderr}`)
  return Number(port)
}
