/** `weft route switch`: a route's requests go elsewhere at once, until the next reload of the running proxy; `--back` undoes it. */
import { InvalidArgumentError } from 'commander'
import { WeftError } from '../../errors.js'
import { askAdmin, defaultAdmin } from '../admin-client.js'
import { addOutputOption, type CliCommand } from '../command.js'
import { createOutput, exitCodes, type Format } from '../output.js'

interface SwitchOptions {
  to?: string
  weight: number
  back?: boolean
  admin: string
  output: Format
}

export const route: CliCommand = {
  name: 'route',
  about: 'switch a route of a running proxy to another cluster, and back',
  declare(command, finish) {
    addOutputOption(command.command('switch').description('send the requests of a route elsewhere, at once'))
      .argument('<route>', 'name of the route')
      .option('--to <cluster>', 'where they go: CLUSTER, or CLUSTER:SUBSET')
      .option('--weight <percent>', 'so many of them; the others go where they went before', percent, 100)
      .option('--back', 'to where they went before the last switch')
      .option('--admin <address>', 'admin server of the proxy', defaultAdmin)
      .action((name: string, options: SwitchOptions) => finish(execute(name, options)))
  },
}

function percent(text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= 1 && value <= 100) return value
  throw new InvalidArgumentError('it must be a whole number from 1 to 100.')
}

async function execute(name: string, { to, weight, back = false, admin, output }: SwitchOptions): Promise<number> {
  const print = createOutput(output)
  try {
    if (back === (to !== undefined)) {
      const hint = 'write --to CLUSTER[:SUBSET], or --back'
      throw new WeftError('WEFT_ROUTE_SWITCH', 'one of --to and --back must be given', { hint })
    }
    const query = new URLSearchParams({
      route: name,
      ...(to === undefined ? { back: '1' } : { to, weight: `${weight}` }),
    })
    const { status, body } = await askAdmin(admin, `/route/switch?${query}`, 'POST')
    const answer = status === 200 || status === 400 ? (JSON.parse(body) as Switched) : null
    if (answer === null || answer.error !== undefined) {
      const message = answer?.error ?? `${admin} answers /route/switch with ${status}`
      throw new WeftError('WEFT_ROUTE_SWITCH', message, { hint: '`weft explain --admin` shows routes and clusters' })
    }
    print.result(answer.said ?? '', { ok: true, ...answer })
    return exitCodes.ok
  } catch (error) {
    if (!(error instanceof WeftError)) throw error
    return print.failure(error, admin)
  }
}

interface Switched {
  error?: string
  said?: string
  generation?: number
}
