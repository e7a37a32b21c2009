/**
 * `weft explain`: where a request would go and why, by the matcher that would route it; nothing is sent. Of a file, or of
 * what a running proxy serves, with what has happened to that since it was applied.
 */
import { type Command, InvalidArgumentError } from 'commander'
import { WeftError } from '../../errors.js'
import type { ListenerAnswer, Question } from '../../native/explanation.js'
import { describeAnswer } from '../../telemetry/explanation-text.js'
import { headerOf, questionOf } from '../../telemetry/question.js'
import { askAdmin } from '../admin-client.js'
import { addOutputOption, type CliCommand } from '../command.js'
import { createOutput, exitCodes, type Format } from '../output.js'
import { painter } from '../paint.js'

interface ExplainOptions {
  config?: string
  admin?: string
  header: [string, string][]
  listener?: string
  client: string
  output: Format
}

export const explain: CliCommand = {
  name: 'explain',
  about: 'say where a request would go, and why not elsewhere',
  declare(command: Command, finish) {
    addOutputOption(command)
      .argument('<method>', 'method, such as GET')
      .argument('<url>', 'http://host/path, or /path with -H "host: ..."')
      .option('-c, --config <file>', 'configuration file')
      .option('--admin <address>', 'admin server of a running proxy, in the place of a file')
      .option('-H, --header <line>', 'header line of the request; may be repeated', parseHeader, [])
      .option('--listener <name>', 'listener where it comes in (default: each)')
      .option('--client <address>', "the client's address", '127.0.0.1')
      .action((method: string, url: string, options: ExplainOptions) => finish(execute(method, url, options)))
  },
}

async function execute(method: string, url: string, options: ExplainOptions): Promise<number> {
  const { config: file, admin, output, header: headers, client, listener = null } = options
  const print = createOutput(output)
  const from = file ?? admin ?? 'explain'
  try {
    if ((file === undefined) === (admin === undefined)) {
      const hint = 'write -c FILE, or --admin ADDRESS for what a running proxy serves'
      throw new WeftError('WEFT_CONFIG_MISSING', 'one of --config and --admin must be given', { hint })
    }
    const question = questionOf({ method, url, headers, client, listener })
    const answers = file === undefined ? await ofProxy(admin ?? '', question) : await ofFile(file, question)
    const paint = painter(process.stdout)
    print.result(answers.map((answer) => describeAnswer(answer, paint)).join('\n\n'), { ok: true, file: from, answers })
    return answers.some(isRouted) ? exitCodes.ok : exitCodes.failed
  } catch (error) {
    if (!(error instanceof WeftError)) throw error
    return print.failure(error, from)
  }
}

async function ofFile(file: string, question: Question): Promise<ListenerAnswer[]> {
  const { resolveFile } = await import('../../proxy/prepare.js')
  const { explainRequest } = await import('../../proxy/ask-engine.js')
  const { loadAddon } = await import('../../native/index.js')
  const config = await resolveFile(file)
  const names = config.listeners.map(({ name }) => name)
  if (question.listener !== null && !names.includes(question.listener)) {
    const message = `${file} has no listener named ${JSON.stringify(question.listener)}`
    throw new WeftError('WEFT_CONFIG_REFERENCE', message, { hint: `known: ${names.join(', ')}` })
  }
  return explainRequest(loadAddon(), config, file, question)
}

async function ofProxy(admin: string, question: Question): Promise<ListenerAnswer[]> {
  const asked = new URLSearchParams({ question: JSON.stringify(question), format: 'json' })
  const { status, body } = await askAdmin(admin, `/explain?${asked}`)
  if (status !== 200) {
    throw new WeftError('WEFT_ADMIN_UNREACHABLE', `${admin} answers /explain with ${status}: ${body.trim()}`, {
      hint: 'is it the admin server of a proxy of this version?',
    })
  }
  return JSON.parse(body) as ListenerAnswer[]
}

function parseHeader(line: string, earlier: [string, string][]): [string, string][] {
  const header = headerOf(line)
  if (header === null) throw new InvalidArgumentError('write it as "name: value".')
  return [...earlier, header]
}

function isRouted({ explanation }: ListenerAnswer): boolean {
  return explanation !== null && explanation.chosen !== null
}
