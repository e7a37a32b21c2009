/** The process of `weft run --supervise`. */
import { isSea } from 'node:sea'
import { WeftError } from '../errors.js'
import { reapOrphans } from '../proxy/reaper.js'
import { supervise } from '../proxy/supervise.js'
import { createLogger } from '../telemetry/logger.js'
import { supervisorArguments } from './supervisor-arguments.js'

export async function main(args: readonly string[], end: (code: number) => never): Promise<never> {
  const { run, app, format } = supervisorArguments(args)
  const colour = process.stderr.isTTY === true && process.env.NO_COLOR === undefined
  const write = (line: string) => void process.stderr.write(line)
  const logger = createLogger({ format, colour, write, now: () => new Date() })
  try {
    return end(await supervise({ command: [process.execPath, ...ourselves(), ...run], app, logger, watch: collect }))
  } catch (error) {
    if (!(error instanceof WeftError)) throw error
    logger.error(error.message, { code: error.code })
    return end(1)
  }
}

/** What makes Node run this command again; the one-file command needs no words for it. */
function ourselves(): string[] {
  const [, entry] = process.argv
  return isSea() || entry === undefined ? process.execArgv : [...process.execArgv, entry]
}

/** As process 1: the engine, which can collect orphans, is loaded when there is one. */
function collect(isOurs: (pid: number) => boolean): void {
  if (process.pid !== 1) return
  reapOrphans(async () => (await import('../native/index.js')).loadAddon(), isOurs)
}
