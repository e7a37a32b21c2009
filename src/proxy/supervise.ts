/**
 * `weft run --supervise`: a small process that starts the proxy and starts it again when it was killed.
 *
 * Invariants: an exit code is an answer and becomes ours, only a death by a signal that nobody asked for is mended;
 * who dies once is started at once, who dies again and again after growing waits; nothing heavy is loaded here. The
 * application, when there is one, is our child and not the proxy's: it lives on while the proxy is started again.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import type { Logger } from '../telemetry/logger.js'
import { type AppProcess, startApp } from './app-process.js'
import { type Notice, supervisedBy } from './supervised.js'

export interface SuperviseOptions {
  /** The program that runs the proxy, and its arguments. */
  command: readonly [string, ...string[]]
  /** The application and its arguments; empty for none. */
  app: string[]
  logger: Logger
  /** Told of the processes that Node waits for, so that somebody else can collect the others. */
  watch?: (isOurs: (pid: number) => boolean) => void
}

const firstWaitMs = 100
/** Served before it died: traffic is without a proxy for less than a second. Never served: waiting costs nothing. */
const longestWaitMs = { served: 500, neverServed: 5_000 }
/** Who lived this long has recovered. */
const provenAfterMs = 10_000
/** What is left for the application when the proxy has used up the deadline. */
const leastForAppMs = 1_000

/** Resolves with the exit code of the process: the application's when there is one, else the proxy's. */
export async function supervise(options: SuperviseOptions): Promise<number> {
  const supervisor = new Supervisor(options)
  options.watch?.((pid) => supervisor.owns(pid))
  return supervisor.run()
}

/** Nothing for the first death, then 100 ms doubling. */
export function restartWaitMs(deaths: number, served: boolean): number {
  const longest = served ? longestWaitMs.served : longestWaitMs.neverServed
  return deaths === 0 ? 0 : Math.min(longest, firstWaitMs * 2 ** (deaths - 1))
}

class Supervisor {
  private readonly options: SuperviseOptions
  private proxy: ChildProcess | null = null
  private app: AppProcess | null = null
  private served = false
  private startedAt = 0
  private deaths = 0
  private waiting: NodeJS.Timeout | null = null
  private drainDeadlineMs = 0
  /** When the end must be over, on the clock of `performance.now`. */
  private endsAt = Number.POSITIVE_INFINITY
  /** The signal that asked for the end. */
  private ending: NodeJS.Signals | null = null
  private signals = 0
  private code = 0
  private ready: () => void = () => {}
  private readonly isReady: Promise<void>
  private over: () => void = () => {}
  private readonly isOver: Promise<void>

  constructor(options: SuperviseOptions) {
    this.options = options
    this.isReady = new Promise((resolve) => {
      this.ready = resolve
    })
    this.isOver = new Promise((resolve) => {
      this.over = resolve
    })
  }

  owns(pid: number): boolean {
    return pid === this.proxy?.pid || pid === this.app?.pid
  }

  async run(): Promise<number> {
    this.takeSignals()
    this.launch()
    const [command, ...args] = this.options.app
    if (command === undefined) {
      await this.isOver
      return this.code
    }
    const serves = await Promise.race([this.isReady.then(() => true), this.isOver.then(() => false)])
    return serves ? this.runWithApp([command, ...args]) : this.code
  }

  private async runWithApp(command: readonly [string, ...string[]]): Promise<number> {
    try {
      this.app = await startApp(command)
    } catch (error) {
      await this.end('SIGTERM')
      throw error
    }
    const { ended } = this.app
    const first = await Promise.race([ended, this.isOver.then(() => null)])
    if (first !== null) {
      await this.end('SIGTERM')
      return first
    }
    const code = await this.endApp(this.app)
    return this.code === 0 || this.ending !== null ? code : this.code
  }

  /** The proxy has drained and is gone. */
  private async endApp(app: AppProcess): Promise<number> {
    app.signal(this.signals > 1 ? 'SIGKILL' : (this.ending ?? 'SIGTERM'))
    const limit = setTimeout(() => app.signal('SIGKILL'), Math.max(leastForAppMs, this.leftMs()))
    const code = await app.ended
    clearTimeout(limit)
    return code
  }

  private leftMs(): number {
    return Number.isFinite(this.endsAt) ? this.endsAt - performance.now() : 0
  }

  /** Asks the proxy to end and waits until it has. */
  private end(signal: NodeJS.Signals): Promise<void> {
    this.askToEnd(signal)
    return this.isOver
  }

  private askToEnd(signal: NodeJS.Signals): void {
    this.signals += 1
    this.ending ??= signal
    this.endsAt = Math.min(this.endsAt, performance.now() + this.drainDeadlineMs)
    if (this.proxy !== null) {
      this.proxy.kill(signal)
      if (this.signals > 1 && this.app !== null) this.app.signal('SIGKILL')
    } else {
      if (this.waiting !== null) clearTimeout(this.waiting)
      this.over()
    }
  }

  private takeSignals(): void {
    const toApp = ['SIGUSR2', 'SIGQUIT', 'SIGWINCH', 'SIGCONT'] as const
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => this.askToEnd(signal))
    for (const signal of ['SIGHUP', 'SIGUSR1'] as const) process.on(signal, () => void this.proxy?.kill(signal))
    if (this.options.app.length > 0) for (const signal of toApp) process.on(signal, () => this.app?.signal(signal))
  }

  private launch(): void {
    this.waiting = null
    this.served = false
    this.startedAt = performance.now()
    const [program, ...args] = this.options.command
    const child = spawn(program, args, {
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, [supervisedBy]: this.options.app.length > 0 ? 'app' : 'alone' },
    })
    this.proxy = child
    child.on('message', (notice) => this.hear(notice as Notice))
    child.once('error', ({ message }) => this.options.logger.error(`the proxy cannot be started: ${message}`))
    child.once('exit', (code, signal) => this.ended(code, signal))
    // A process that was never started has no exit.
    if (child.pid === undefined) child.once('error', () => this.finish(1))
  }

  private hear({ state, drainDeadlineMs }: Notice): void {
    this.drainDeadlineMs = drainDeadlineMs
    if (state === 'ending') {
      this.endsAt = Math.min(this.endsAt, performance.now() + drainDeadlineMs)
      return
    }
    this.served = true
    this.ready()
  }

  private ended(code: number | null, signal: NodeJS.Signals | null): void {
    this.proxy = null
    this.code = code ?? 128 + (signal === null ? 0 : constants.signals[signal])
    const wanted = this.ending !== null || signal === 'SIGTERM' || signal === 'SIGINT'
    if (code !== null || wanted) {
      this.finish(this.code)
      return
    }
    if (performance.now() - this.startedAt > provenAfterMs) this.deaths = 0
    const waitMs = restartWaitMs(this.deaths, this.served)
    this.deaths += 1
    this.options.logger.error('the proxy was killed and is started again; its connections are lost', {
      signal,
      waitMs,
      deaths: this.deaths,
    })
    this.waiting = setTimeout(() => this.launch(), waitMs)
  }

  private finish(code: number): void {
    this.proxy = null
    this.code = code
    this.over()
  }
}
