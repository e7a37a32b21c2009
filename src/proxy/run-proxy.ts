/**
 * The life of the `weft run` process: start, reload, drain on SIGTERM or SIGINT, the wrapped application, the
 * admin server, the exit code.
 *
 * Invariants: the application starts after the proxy is ready and ends after inbound work has drained; one deadline
 * bounds the whole ending; a second signal ends at once.
 */
import { constants } from 'node:os'
import type { AdminServer } from '../admin/start-admin.js'
import { isLoopback } from '../config/loopback.js'
import { loadAddon } from '../native/index.js'
import type { Logger } from '../telemetry/logger.js'
import { type AppProcess, startApp } from './app-process.js'
import type { Plan } from './prepare.js'
import { reapOrphans } from './reaper.js'
import { reloadOnChange } from './reload.js'
import { startLine } from './start-line.js'
import { startProxy, type WeftProxy } from './start-proxy.js'

export interface RunOptions {
  file: string
  /** Reload when the file, or one that it includes, changes. */
  watch: boolean
  /** The application and its arguments; empty for none. */
  app: string[]
  version: string
  logger: Logger
}

/** Runs until the proxy has ended; resolves with the exit code of the process. */
export async function runProxy({ file, watch, app, version, logger }: RunOptions): Promise<number> {
  const proxy = await startProxy({ file }, { logger })
  const ending = new Ending()
  process.on('SIGTERM', () => ending.signal('SIGTERM'))
  process.on('SIGINT', () => ending.signal('SIGINT'))
  const reloading = reloadOnChange(proxy, { file, watch, logger })
  const admin = await admit(proxy, ending, logger)
  logger.info(startLine(version, Math.round(performance.now()), bound(proxy)))
  try {
    const [command, ...args] = app
    if (command === undefined) await ending.begun
    else return await runWithApp(proxy, [command, ...args], ending, logger)
    await finish(proxy, ending, logger)
    return ending.forced ? ending.code() : 0
  } finally {
    reloading.close()
    admin?.close()
    await proxy.close()
  }
}

/** The plan with the addresses that the listeners really have: a port 0 has become one. */
function bound(proxy: WeftProxy): Pick<Plan, 'listeners' | 'clusters'> {
  const { listeners, clusters } = proxy.plan()
  const real = listeners.map((listener) => {
    const { host, port } = proxy.address(listener.name)
    return { ...listener, address: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}` }
  })
  return { listeners: real, clusters }
}

/** The one switch from running to ending: thrown by a signal, by POST /drain or by the end of the application. */
class Ending {
  readonly begun: Promise<void>
  /** Resolves when a second signal asks to end at once. */
  readonly now: Promise<void>
  by: NodeJS.Signals | null = null
  forced = false
  private begin: () => void = () => {}
  private force: () => void = () => {}

  constructor() {
    this.begun = new Promise((resolve) => {
      this.begin = resolve
    })
    this.now = new Promise((resolve) => {
      this.force = resolve
    })
  }

  signal(signal: NodeJS.Signals): void {
    if (this.by !== null) {
      this.forced = true
      this.force()
    }
    this.by = signal
    this.start()
  }

  start(): void {
    this.begin()
  }

  code(): number {
    return 128 + constants.signals[this.by ?? 'SIGTERM']
  }
}

async function runWithApp(
  proxy: WeftProxy,
  command: readonly [string, ...string[]],
  ending: Ending,
  logger: Logger,
): Promise<number> {
  let ours: AppProcess | null = null
  reapOrphans(loadAddon(), (pid) => pid === ours?.pid)
  const app = await startApp(command)
  ours = app
  const forwarded = (['SIGUSR2', 'SIGQUIT', 'SIGWINCH', 'SIGCONT'] as const).map((signal) => {
    const forward = () => app.signal(signal)
    process.on(signal, forward)
    return () => process.off(signal, forward)
  })
  try {
    const first = await Promise.race([app.ended, ending.begun.then(() => null)])
    if (first !== null) {
      ending.start()
      await finish(proxy, ending, logger)
      return first
    }
    return await endWithApp(proxy, app, ending, logger)
  } finally {
    for (const stop of forwarded) stop()
  }
}

/** Inbound work drains while the application lives; what is left of the deadline is the application's. */
async function endWithApp(proxy: WeftProxy, app: AppProcess, ending: Ending, logger: Logger): Promise<number> {
  const end = performance.now() + proxy.plan().drainDeadlineMs
  const early = await Promise.race([app.ended, finish(proxy, ending, logger).then(() => null)])
  if (early !== null) return early
  if (!ending.forced) app.signal(ending.by ?? 'SIGTERM')
  const overdue = new Promise<null>((resolve) => {
    setTimeout(() => resolve(null), Math.max(1_000, end - performance.now())).unref()
  })
  const code = ending.forced ? null : await Promise.race([app.ended, overdue, ending.now.then(() => null)])
  if (code !== null) return code
  app.signal('SIGKILL')
  return app.ended
}

/** Drains, unless told to end at once. */
async function finish(proxy: WeftProxy, ending: Ending, logger: Logger): Promise<void> {
  const left = await Promise.race([proxy.drain(), ending.now.then(() => null)])
  if (left === null) logger.warn('ended at once; open exchanges were cut')
  else if (left > 0) logger.warn('the drain deadline passed', { exchangesCut: left })
}

/** Starts the admin server when the configuration names one. */
async function admit(proxy: WeftProxy, ending: Ending, logger: Logger): Promise<AdminServer | null> {
  const address = proxy.plan().adminAddress
  if (address === null) return null
  if (!isLoopback(address)) logger.warn('the admin server can be reached from other machines', { address })
  try {
    const { startAdmin } = await import('../admin/start-admin.js')
    // Not before the answer to the request that asked for it has left.
    return await startAdmin({ address, proxy, drain: () => void setImmediate(() => ending.start()) })
  } catch (error) {
    await proxy.close()
    throw error
  }
}
