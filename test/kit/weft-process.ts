/** Runs the built command as a process and waits for what it says; used by tests of whole processes. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { scratchFolder } from './scratch.js'

export const fakeAddon = join(import.meta.dirname, 'fake-addon.cjs')
const entry = join(import.meta.dirname, '../../dist/weft.js')

export interface StartedAs {
  /** What is run instead of the bundle on this Node. */
  command?: readonly string[]
  cwd?: string
  /** With no variables but those that are given. */
  bare?: boolean
}

export class WeftProcess {
  stdout = ''
  stderr = ''
  readonly child: ChildProcess
  /** Resolves with the exit code, or with the signal that ended it. */
  readonly ended: Promise<number | string>
  private changed: () => void = () => {}

  constructor(args: string[], env: Record<string, string> = {}, { command, cwd, bare = false }: StartedAs = {}) {
    const [program = process.execPath, ...before] = command ?? [process.execPath, entry]
    this.child = spawn(program, [...before, ...args], {
      env: bare ? env : { ...process.env, NO_COLOR: '1', ...env },
      ...(cwd === undefined ? {} : { cwd }),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.child.stdout?.on('data', (data) => {
      this.stdout += data
      this.changed()
    })
    this.child.stderr?.on('data', (data) => {
      this.stderr += data
      this.changed()
    })
    this.ended = once(this.child, 'close').then(([code, signal]) => code ?? signal)
    void this.ended.then(() => this.changed())
  }

  /** Resolves when both outputs together hold `text`; rejects when the process ends first. */
  async says(text: string): Promise<void> {
    while (!`${this.stdout}\n${this.stderr}`.includes(text)) {
      if (this.child.exitCode !== null) throw new Error(`ended before it said ${text}:\n${this.stdout}${this.stderr}`)
      await new Promise<void>((resolve) => {
        this.changed = resolve
      })
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }
}

/** Runs a command to its end. */
export async function weft(...args: string[]) {
  const run = new WeftProcess(args, { WEFT_ADDON: fakeAddon })
  const code = await run.ended
  return { code, stdout: run.stdout, stderr: run.stderr }
}

export function writeConfig(config: unknown, folder = scratchFolder()): string {
  const file = join(folder, 'weft.yaml')
  writeFileSync(file, typeof config === 'string' ? config : JSON.stringify(config))
  return file
}
