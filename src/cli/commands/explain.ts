/** `weft explain`: where a request would go and why, by the matcher that would route it; nothing is sent. */
import { type Command, InvalidArgumentError } from 'commander'
import { WeftError } from '../../errors.js'
import type { ListenerAnswer, Question } from '../../native/explanation.js'
import { describeAnswer } from '../../telemetry/explanation-text.js'
import { addFileOption, addOutputOption, type CliCommand, type FileOptions } from '../command.js'
import { createOutput, exitCodes } from '../output.js'
import { painter } from '../paint.js'

interface ExplainOptions extends FileOptions {
  header: [string, string][]
  listener?: string
  client: string
}

export const explain: CliCommand = {
  name: 'explain',
  about: 'say where a request would go, and why not elsewhere',
  declare(command: Command, finish) {
    addOutputOption(addFileOption(command))
      .argument('<method>', 'method, such as GET')
      .argument('<url>', 'http://host/path, or /path with -H "host: ..."')
      .option('-H, --header <line>', 'header line of the request; may be repeated', parseHeader, [])
      .option('--listener <name>', 'listener where it comes in (default: each)')
      .option('--client <address>', "the client's address", '127.0.0.1')
      .action((method: string, url: string, options: ExplainOptions) => finish(execute(method, url, options)))
  },
}

async function execute(method: string, url: string, options: ExplainOptions): Promise<number> {
  const { resolveFile } = await import('../../proxy/prepare.js')
  const { explainRequest } = await import('../../proxy/ask-engine.js')
  const { loadAddon } = await import('../../native/index.js')
  const { config: file, output } = options
  const print = createOutput(output)
  try {
    const config = await resolveFile(file)
    const names = config.listeners.map(({ name }) => name)
    if (options.listener !== undefined && !names.includes(options.listener)) {
      const message = `${file} has no listener named ${JSON.stringify(options.listener)}`
      throw new WeftError('WEFT_CONFIG_REFERENCE', message, { hint: `known: ${names.join(', ')}` })
    }
    const answers = await explainRequest(loadAddon(), config, file, questionOf(method, url, options))
    const paint = painter(process.stdout)
    print.result(answers.map((answer) => describeAnswer(answer, paint)).join('\n\n'), { ok: true, file, answers })
    return answers.some(isRouted) ? exitCodes.ok : exitCodes.failed
  } catch (error) {
    if (!(error instanceof WeftError)) throw error
    return print.failure(error, file)
  }
}

/** The URL is taken apart as it is written: resolving its dots here would hide what the proxy does with them. */
export function questionOf(
  method: string,
  url: string,
  { header, client, listener }: Omit<ExplainOptions, keyof FileOptions>,
): Question {
  const [, authority, target = ''] = /^(?:https?:\/\/([^/?#]*))?([^#]*)/i.exec(url) ?? []
  const named = header.some(([name]) => name.toLowerCase() === 'host')
  const host: [string, string][] = named ? [] : [['host', authority ?? 'localhost']]
  return {
    method,
    target: target.startsWith('/') || target === '*' ? target : `/${target}`,
    headers: [...host, ...header],
    client,
    listener: listener ?? null,
  }
}

function parseHeader(line: string, earlier: [string, string][]): [string, string][] {
  const match = /^([^\s:]+)\s*:\s*(.*?)\s*$/.exec(line)
  if (match === null) throw new InvalidArgumentError('write it as "name: value".')
  return [...earlier, [match[1] ?? '', match[2] ?? '']]
}

function isRouted({ explanation }: ListenerAnswer): boolean {
  return explanation !== null && explanation.chosen !== null
}
