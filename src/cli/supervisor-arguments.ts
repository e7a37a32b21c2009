/** `weft run --supervise`, told apart before anything is loaded. */

const option = '--supervise'

/** The arguments of the proxy without the supervisor's own, and the application behind `--`. */
export interface SupervisorArguments {
  run: string[]
  app: string[]
  format: 'text' | 'json'
}

export function asksForSupervisor(args: readonly string[]): boolean {
  return args[0] === 'run' && own(args).includes(option)
}

export function supervisorArguments(args: readonly string[]): SupervisorArguments {
  const run = own(args).filter((word) => word !== option)
  const json = run.some((word, at) => word === '--output=json' || (word === '--output' && run[at + 1] === 'json'))
  return { run, app: args.slice(own(args).length + 1), format: json ? 'json' : 'text' }
}

/** Before `--`, behind which everything is the application's. */
function own(args: readonly string[]): readonly string[] {
  const separator = args.indexOf('--')
  return separator === -1 ? args : args.slice(0, separator)
}
