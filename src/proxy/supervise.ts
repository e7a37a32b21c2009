/**
 * `weft run --supervise`: a small process that starts the proxy and starts it again when it was killed.
 *
 * Invariants: an exit code is an answer and becomes ours, only a death by a signal that nobody asked for is mended;
 * who dies once is started at once, who dies again and again after growing waits; nothing heavy is loaded here. The
 * application, when there is one, is our child and lives on while the proxy is started again; when it is to end, and
 * what of the proxy ends before it, is decided by the proxy (`run-proxy.ts`) as it is without a supervisor.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import type { WeftError } from '../errors.js'
import type { Logger } from '../telemetry/logger.js'
import { type AppProcess, startApp } from './app-process.js'
import { type AppEnded, type Notice, supervisedBy } from './supervised.js'

export interface SuperviseOptions {
  /** The program that runs the proxy, and its arguments. */
  command: readonly [string, ...string[]]
  /** The application and its arguments; empty for none. */
  app: string[]
  logger: Logger
  /** Is given the test for processes that Node waits for, so that somebody else can collect the others. */
  watch?: (isOurs: (pid: number) => boolean) => void
}

const firstWaitMs = 100
/** Served before it died: traffic is without a proxy for less than a second. Never served: waiting costs nothing. */
const longestWaitMs = { served: 200, neverServed: 5_000 }
/** Who lived this long has recovered. */
const provenAfterMs = 10_000
/** What an application has at least to end in, when no proxy is left to tell how long. */
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
  /** The present proxy has served. */
  private served = false
  private startedAt = 0
  private deaths = 0
  private waiting: NodeJS.Timeout | null = null
  private app: AppProcess | null = null
  private appCode: number | null = null
  private drainDeadlineMs = 0
  /** The signal that asked for the end. */
  private ending: NodeJS.Signals | null = null
  private finish: (code: number) => void = () => {}
  private readonly finished: Promise<number>

  constructor(options: SuperviseOptions) {
    this.options = options
    this.finished = new Promise((resolve) => {
      this.finish = resolve
    })
  }

  owns(pid: number): boolean {
    return pid === this.proxy?.pid || pid === this.app?.pid
  }

  async run(): Promise<number> {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => this.askToEnd(signal))
    for (const signal of ['SIGHUP', 'SIGUSR1'] as const) process.on(signal, () => void this.proxy?.kill(signal))
    if (this.options.app.length > 0) {
      const toApp = ['SIGUSR2', 'SIGQUIT', 'SIGWINCH', 'SIGCONT'] as const
      for (const signal of toApp) process.on(signal, () => this.app?.signal(signal))
    }
    this.launch()
    const code = await this.finished
    return this.app === null || this.appCode !== null ? code : this.endApp(this.app, code)
  }

  private launch(): void {
    this.waiting = null
    this.served = false
    this.startedAt = performance.now()
    const [program, ...args] = this.options.command
    const proxy = spawn(program, args, {
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, [supervisedBy]: this.options.app.length > 0 ? 'app' : 'alone' },
    })
    this.proxy = proxy
    proxy.on('message', (notice: Notice) => this.hear(notice))
    proxy.once('exit', (code, signal) => this.ended(code, signal))
    proxy.on('error', ({ message }) => {
      // Also when a message came too late for a proxy that is ending; one that was never started has no exit.
      if (proxy.pid !== undefined) return
      this.options.logger.error(`the proxy cannot be started: ${message}`)
      this.finish(1)
    })
  }

  private hear(notice: Notice): void {
    if ('signal' in notice) {
      this.app?.signal(notice.signal)
      return
    }
    this.served = true
    this.drainDeadlineMs = notice.ready.drainDeadlineMs
    const [command, ...args] = this.options.app
    if (command !== undefined && this.app === null) void this.startApp([command, ...args])
  }

  private async startApp(command: readonly [string, ...string[]]): Promise<void> {
    try {
      this.app = await startApp(command)
      this.appCode = await this.app.ended
    } catch (error) {
      this.options.logger.error((error as Error).message, { code: (error as WeftError).code })
      this.appCode = 1
    }
    if (this.served) this.proxy?.send({ code: this.appCode } satisfies AppEnded)
    else if (this.proxy !== null) this.proxy.kill('SIGTERM')
    else this.giveUp(this.appCode)
  }

  private askToEnd(signal: NodeJS.Signals): void {
    this.ending ??= signal
    if (this.proxy === null) this.giveUp(128 + constants.signals[signal])
    else this.proxy.kill(signal)
  }

  private ended(code: number | null, signal: NodeJS.Signals | null): void {
    this.proxy = null
    const answer = code ?? 128 + (signal === null ? 0 : constants.signals[signal])
    const wanted = this.ending !== null || signal === 'SIGTERM' || signal === 'SIGINT'
    if (code !== null || wanted || this.appCode !== null) this.finish(this.appCode ?? answer)
    else this.startAgain(signal)
  }

  private startAgain(signal: NodeJS.Signals | null): void {
    if (performance.now() - this.startedAt > provenAfterMs) this.deaths = 0
    const waitMs = restartWaitMs(this.deaths, this.served)
    this.deaths += 1
    const { logger } = this.options
    logger.error('the proxy was killed and is started again; its connections are lost', { signal, waitMs })
    this.served = false
    this.waiting = setTimeout(() => this.launch(), waitMs)
  }

  /** While no proxy is there. */
  private giveUp(code: number): void {
    if (this.waiting !== null) clearTimeout(this.waiting)
    this.finish(code)
  }

  /** The proxy is gone for good and the application is not. An order to end makes its code ours. */
  private async endApp(app: AppProcess, code: number): Promise<number> {
    app.signal(this.ending ?? 'SIGTERM')
    const limit = setTimeout(() => app.signal('SIGKILL'), Math.max(leastForAppMs, this.drainDeadlineMs))
    const appCode = await app.ended
    clearTimeout(limit)
    return this.ending === null ? code : appCode
  }
}
