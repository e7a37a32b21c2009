/** `weft top`: rate, success and latency of a running proxy, by route and by endpoint, live. */
import { InvalidArgumentError } from 'commander'
import { WeftError } from '../../errors.js'
import type { Stats } from '../../native/index.js'
import { askAdmin, defaultAdmin } from '../admin-client.js'
import { addOutputOption, type CliCommand } from '../command.js'
import { createOutput, exitCodes, type Format } from '../output.js'
import { compare, type Reading, type Sample } from '../top/sample.js'
import { plainText, screen } from '../top/screen.js'
import { openTerminal } from '../top/terminal.js'

interface TopOptions {
  admin: string
  output: Format
  interval: number
  once?: boolean
}

export const top: CliCommand = {
  name: 'top',
  about: 'show rate, success and latency by route and endpoint, live; q quits',
  declare(command, finish) {
    addOutputOption(command)
      .option('--admin <address>', 'admin server of the proxy', defaultAdmin)
      .option('--interval <seconds>', 'time between two readings', readInterval, 1)
      .option('--once', 'print one sample and end')
      .action((options: TopOptions) => finish(execute(options)))
  },
}

function readInterval(text: string): number {
  const seconds = Number(text)
  if (!(seconds >= 0.1 && seconds <= 3_600)) throw new InvalidArgumentError('it must be from 0.1 to 3600 seconds')
  return seconds
}

async function execute(options: TopOptions): Promise<number> {
  try {
    const first = await read(options.admin)
    const live = options.output === 'text' && options.once !== true && process.stdout.isTTY === true
    if (live) await watch(options, first)
    else await print(options, first)
    return exitCodes.ok
  } catch (error) {
    if (!(error instanceof WeftError)) throw error
    return createOutput(options.output).failure(error, options.admin)
  }
}

async function read(admin: string): Promise<Reading> {
  const { status, body } = await askAdmin(admin, '/stats?format=json')
  if (status !== 200) {
    throw new WeftError('WEFT_ADMIN_UNREACHABLE', `${admin} answers /stats with ${status}`, {
      hint: 'is it the admin server of a proxy?',
    })
  }
  return { stats: JSON.parse(body) as Stats, atMs: performance.now() }
}

/** One sample a line, for programs and for files; the end is a signal or a closed pipe. */
async function print({ admin, output, interval, once }: TopOptions, first: Reading): Promise<void> {
  // Who reads only the first lines closes the pipe.
  let closed = false
  process.stdout.on('error', () => {
    closed = true
  })
  let before = first
  do {
    await pause(interval)
    const after = await read(admin)
    const sample = compare(before, after, new Date())
    process.stdout.write(output === 'json' ? `${JSON.stringify(sample)}\n` : plainText(sample, admin))
    before = after
  } while (once !== true && !closed)
}

async function watch({ admin, interval }: TopOptions, first: Reading): Promise<void> {
  const terminal = openTerminal()
  const colour = process.env.NO_COLOR === undefined
  let before = first
  let sample: Sample = compare(first, first, new Date())
  let notice = 'reading…'
  const draw = () => terminal.show(screen(sample, { admin, size: terminal.size(), colour, notice }))
  terminal.onResize(draw)
  const quit = terminal.quit.then(() => true)
  try {
    for (draw(); !(await Promise.race([pause(interval).then(() => false), quit])); draw()) {
      try {
        const after = await read(admin)
        sample = compare(before, after, new Date())
        before = after
        notice = ''
      } catch (error) {
        if (!(error instanceof WeftError)) throw error
        notice = `${error.message}; trying again`
      }
    }
  } finally {
    terminal.close()
  }
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1_000))
}
