/**
 * What commands that talk to the control plane share: where it is, who asks, how to print.
 *
 * Invariant: results go to standard output in the format that was asked for, whatever else is said to standard error.
 */
import { type Command, Option } from 'commander'
import type { ApiClient } from '../control/client/api-client.js'
import { WeftError } from '../errors.js'
import { createOutput } from './output.js'

export type TableFormat = 'table' | 'json' | 'yaml'

export interface SessionOptions {
  server?: string
  token?: string
  ca?: string
  output: TableFormat
}

export interface Session {
  client: ApiClient
  format: TableFormat
  /** Prints text for people, or the value; several values are one YAML document each. */
  print(text: string, value: unknown): Promise<void>
  /** Prints a failure and returns the exit code; `place` is the file that its issues stand in. */
  fail(error: WeftError, place: string): number
  /** To standard error. */
  say(text: string): void
}

export function addSessionOptions(command: Command): Command {
  return command
    .option('--server <url>', 'the control plane (WEFT_SERVER, or http://127.0.0.1:7400)')
    .option('--token <token>', 'who asks (WEFT_TOKEN)')
    .option('--ca <file>', 'PEM file of who signs the server’s certificate (WEFT_CA)')
    .addOption(new Option('--output <format>', 'how to print').choices(['table', 'json', 'yaml']).default('table'))
}

export function addNamespaceOption(command: Command): Command {
  return command.option('-n, --namespace <namespace>', 'the namespace')
}

/** Runs what a command does with a client, and turns what it throws into an exit code. */
export async function withSession(
  options: SessionOptions,
  run: (session: Session) => Promise<number>,
): Promise<number> {
  const { output: format } = options
  const output = createOutput(format === 'json' ? 'json' : 'text')
  const write = (text: string) => void process.stdout.write(text.endsWith('\n') ? text : `${text}\n`)
  try {
    const { ApiClient } = await import('../control/client/api-client.js')
    const { resolveClient } = await import('../control/client/client-config.js')
    const resolved = await resolveClient(options, process.env)
    const say = (text: string) => void process.stderr.write(`${text}\n`)
    // Said to people: what else stands in standard error is for programs as well.
    const late = () => process.stderr.isTTY && say(`waiting for ${resolved.server} …`)
    const client = new ApiClient({ ...resolved, late })
    const session: Session = {
      ...{ client, format },
      async print(text, value) {
        if (format === 'table') write(text)
        else if (format === 'json') write(JSON.stringify(value))
        else write(await dumpYaml(value))
      },
      fail: (error, place) => output.failure(error, place),
      say,
    }
    try {
      return await run(session)
    } finally {
      client.close()
    }
  } catch (error) {
    if (!(error instanceof WeftError)) throw error
    return output.failure(error, options.server ?? 'the request')
  }
}

/** A list becomes several documents, so that it can be applied again. */
export async function dumpYaml(value: unknown): Promise<string> {
  const { dump } = await import('js-yaml')
  const one = (document: unknown) => dump(document, { lineWidth: 120, noRefs: true })
  return Array.isArray(value) ? value.map((document) => `---\n${one(document)}`).join('') : one(value)
}
