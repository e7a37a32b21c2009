/**
 * `weft completion`: a script that lets a shell complete commands, options and kinds of resources; made from the commands
 * themselves.
 */
import { Argument, type Command } from 'commander'
import type { CliCommand } from '../command.js'
import { exitCodes } from '../output.js'

const shells = ['bash', 'zsh', 'fish'] as const
type Shell = (typeof shells)[number]

export const completion: CliCommand = {
  name: 'completion',
  about: 'print a script for the completion of a shell: source <(weft completion bash)',
  declare(command, finish) {
    command.addArgument(new Argument('<shell>').choices(shells)).action((shell: Shell) => {
      return finish(print(shell, command.parent ?? command))
    })
  },
}

async function print(shell: Shell, program: Command): Promise<number> {
  const { resourceKinds } = await import('../../control/resources/index.js')
  const kinds = resourceKinds.map(({ kind, apiVersions: [first] }) => {
    const unique = resourceKinds.filter((other) => other.kind === kind).length === 1
    return { word: (unique ? kind : `${kind}.${first.split('/')[0]}`).toLowerCase(), about: `a ${kind}` }
  })
  process.stdout.write(completionScript(shell, describeCommands(program, kinds)))
  return exitCodes.ok
}

export interface Completed {
  /** `token create`, or empty for the program itself. */
  words: string
  about: string
  /** Commands, kinds and options that can follow. */
  next: Word[]
}

interface Word {
  word: string
  about: string
}

function describeCommands(command: Command, kinds: readonly Word[], words: readonly string[] = []): Completed[] {
  const commands = command.commands.map((one) => ({ word: one.name(), about: one.description() }))
  const options = command.options.flatMap(({ long, short, description }) => {
    return [long, short].flatMap((word) => (word ? [{ word, about: description }] : []))
  })
  const named = command.registeredArguments.some((one) => one.name().endsWith('kind')) ? kinds : []
  const own = { words: words.join(' '), about: command.description(), next: [...commands, ...named, ...options] }
  return [own, ...command.commands.flatMap((one) => describeCommands(one, kinds, [...words, one.name()]))]
}

export function completionScript(shell: Shell, all: readonly Completed[]): string {
  if (shell === 'fish') return fish(all)
  const cases = all.map(({ words, next }) => `    '${words}') next='${next.map(({ word }) => word).join(' ')}' ;;`)
  const bash = `_weft() {
  local word="\${COMP_WORDS[COMP_CWORD]}" path='' next='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${path:+$path }\${COMP_WORDS[i]}" in
      ${paths(all).join('|')}) path="\${path:+$path }\${COMP_WORDS[i]}" ;;
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  if [[ "$word" == -* || "$next" != -* ]]; then
    COMPREPLY=($(compgen -W "$next" -- "$word"))
  fi
  [[ \${#COMPREPLY[@]} -gt 0 ]] || COMPREPLY=($(compgen -f -- "$word"))
}
complete -F _weft weft
`
  return shell === 'bash' ? bash : `autoload -U +X bashcompinit && bashcompinit\n${bash}`
}

function paths(all: readonly Completed[]): string[] {
  return all.flatMap(({ words }) => (words === '' ? [] : [`'${words}'`]))
}

function fish(all: readonly Completed[]): string {
  const lines = all.flatMap(({ words, next }) => {
    const condition =
      words === ''
        ? '__fish_use_subcommand'
        : words
            .split(' ')
            .map((word) => `__fish_seen_subcommand_from ${word}`)
            .join('; and ')
    return next.map(({ word, about }) => {
      const shown = word.startsWith('--')
        ? `-l ${word.slice(2)}`
        : word.startsWith('-')
          ? `-s ${word.slice(1)}`
          : `-f -a ${word}`
      return `complete -c weft -n '${condition}' ${shown} -d '${about.replaceAll("'", '’')}'`
    })
  })
  return `${lines.join('\n')}\n`
}
