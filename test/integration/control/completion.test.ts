/** The completion scripts in the shells that they are for. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { endPrograms, outputOf } from '../../kit/program.js'
import { scratchFolder } from '../../kit/scratch.js'

afterEach(endPrograms)

type Complete = (line: string) => Promise<string[]>

async function script(shell: string): Promise<string> {
  const file = join(scratchFolder(), `weft.${shell}`)
  writeFileSync(file, await outputOf(process.execPath, ['dist/weft.js', 'completion', shell]))
  return file
}

const shells: Record<string, () => Promise<Complete>> = {
  async bash() {
    const file = await script('bash')
    return async (line) => {
      const words = line.split(' ')
      const set = `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}`
      const found = await outputOf('bash', ['-c', `source ${file}; ${set}; _weft; printf '%s\\n' "\${COMPREPLY[@]}"`])
      return found.trim().split('\n')
    }
  },
  async fish() {
    const file = await script('fish')
    return async (line) => {
      const found = await outputOf('fish', ['--no-config', '-c', `source ${file}; complete -C "${line}"`])
      return found
        .trim()
        .split('\n')
        .map((one) => one.split('\t')[0] ?? '')
    }
  },
}

describe.each(Object.keys(shells))('completion in %s', (shell) => {
  it('knows commands, options and kinds', async () => {
    const complete = await shells[shell]?.()
    if (complete === undefined) throw new Error('no such shell')
    expect(await complete('weft app')).toEqual(['apply'])
    expect(await complete('weft apply --dry')).toEqual(['--dry-run'])
    expect(await complete('weft token r')).toEqual(['revoke'])
    expect((await complete('weft get t')).sort()).toEqual(['tcproute', 'telemetry', 'tlsroute'])
    expect(await complete('weft describe gateway')).toEqual([
      'gateway.gateway.networking.k8s.io',
      'gateway.networking.istio.io',
    ])
  })
})

describe('completion in zsh', () => {
  it('knows commands, options and kinds', async () => {
    const file = await script('zsh')
    // With a terminal, as its completion wants.
    const begin = `autoload -U compinit && compinit -u -D; source ${file}; unsetopt beep; PS1="REA""DY "`
    const lines = [
      ['weft app', 'apply'],
      ['weft apply --dry', '--dry-run'],
      ['weft token r', 'revoke'],
      ['weft get teleme', 'telemetry'],
      ['weft describe gateway.net', 'gateway.networking.istio.io'],
    ] as const
    const typed = [
      'zmodload zsh/zpty; zpty z zsh -f',
      `zpty -w z '${begin}'; zpty -r z seen '*READY *'`,
      ...lines.flatMap(([line, word]) => {
        const rest = word.slice(line.split(' ').at(-1)?.length)
        return [
          `zpty -w -n z '${line}'$'\\t'; zpty -r z seen '*${rest}*'; print -r -- "${word}"`,
          // Another line.
          `zpty -w -n z $'\\C-u\\n'; zpty -r z seen '*READY *'`,
        ]
      }),
    ]
    const words = await outputOf('zsh', ['-f', '-c', typed.join('\n')])
    expect(words.trim().split('\n')).toEqual(lines.map(([, word]) => word))
  })
})
