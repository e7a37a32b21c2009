/** A program as a process: started with what it needs, watched by what it prints, ended by its own pid. */
import { type ChildProcess, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { removeScratch } from './scratch.js'

export interface ProgramOptions {
  env?: Record<string, string>
  cwd?: string
  /** Reads standard output only on demand when `false` (a program whose output is a file of its own). */
  stdin?: 'ignore' | 'pipe'
  /** Bound on every wait for an output or an end. */
  timeoutMs?: number
}

const running = new Set<Program>()

export class Program {
  /** Standard output and standard error, as they came. */
  output = ''
  stdout = ''
  stderr = ''
  readonly child: ChildProcess
  /** Resolves with the exit code, or with the signal that ended it, after all output has been read. */
  readonly ended: Promise<number | NodeJS.Signals>
  private readonly changes = new EventEmitter().setMaxListeners(0)
  private readonly name: string
  private readonly timeoutMs: number
  private over = false

  constructor(command: string, args: readonly string[], options: ProgramOptions = {}) {
    const { env = {}, cwd, stdin = 'ignore', timeoutMs = 20_000 } = options
    this.name = [command, ...args].join(' ').slice(0, 200)
    this.timeoutMs = timeoutMs
    this.child = spawn(command, args, {
      env: { ...process.env, NO_COLOR: '1', ...env },
      cwd,
      stdio: [stdin, 'pipe', 'pipe'],
    })
    running.add(this)
    this.child.stdout?.on('data', (data) => this.heard(data, true))
    this.child.stderr?.on('data', (data) => this.heard(data, false))
    this.ended = new Promise((resolve) => {
      this.child.once('error', (error) => this.heard(`${error.message}\n`, false))
      this.child.once('close', (code, signal) => {
        this.over = true
        running.delete(this)
        resolve(code ?? signal ?? -1)
        this.changes.emit('change')
      })
    })
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error(`${this.name} was not started: ${this.output}`)
    return this.child.pid
  }

  /** Resolves with the match when the output from `from` on has one; rejects when the program ends first. */
  async says(pattern: string | RegExp, from = 0): Promise<RegExpMatchArray> {
    const expression =
      typeof pattern === 'string' ? new RegExp(pattern.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')) : pattern
    const signal = AbortSignal.timeout(this.timeoutMs)
    for (;;) {
      const match = this.output.slice(from).match(expression)
      if (match !== null) return match
      if (this.over) throw new Error(`${this.name} ended before it said ${expression}:\n${this.output}`)
      await once(this.changes, 'change', { signal }).catch(() => {
        throw new Error(`${this.name} did not say ${expression} in ${this.timeoutMs} ms:\n${this.output}`)
      })
    }
  }

  /** The exit code, within the bound. */
  async end(): Promise<number | NodeJS.Signals> {
    let bound: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      bound = setTimeout(
        () => reject(new Error(`${this.name} did not end in ${this.timeoutMs} ms:\n${this.output}`)),
        this.timeoutMs,
      )
    })
    return Promise.race([this.ended, late]).finally(() => clearTimeout(bound))
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
    await this.ended
  }

  private heard(data: Buffer | string, standard: boolean): void {
    this.output += data
    if (standard) this.stdout += data
    else this.stderr += data
    this.changes.emit('change')
  }
}

/** Runs a program to its end and returns its standard output; throws with all of its output when it fails. */
export async function outputOf(command: string, args: readonly string[], options?: ProgramOptions): Promise<string> {
  const program = new Program(command, args, options)
  const code = await program.end()
  if (code !== 0) throw new Error(`${command} ended with ${code}:\n${program.output}`)
  return program.stdout
}

/** For `afterEach`: whatever a failed test has left running ends here, and the files of the test go. */
export async function endPrograms(): Promise<void> {
  await Promise.all([...running].map((program) => program.kill()))
  removeScratch()
}
