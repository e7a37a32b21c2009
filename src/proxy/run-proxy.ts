/**
 * The life of the `weft run` process: start, reload, logs opened again on SIGUSR1, drain on SIGTERM or SIGINT, the
 * wrapped application, the admin server, the change to a successor, the exit code.
 *
 * Invariants: the application starts after the proxy is ready and ends after inbound work has drained; one deadline
 * bounds the whole ending; a second signal ends at once.
 */
import { WeftError } from '../errors.js'
import { loadAddon } from '../native/index.js'
import type { AdjustableLogger, Logger } from '../telemetry/logger.js'
import { AdminDoor } from './admin-door.js'
import { type AppProcess, startApp } from './app-process.js'
import { Ending } from './ending.js'
import type { Plan } from './prepare.js'
import { reapOrphans } from './reaper.js'
import { reloadOnChange } from './reload.js'
import { startLine } from './start-line.js'
import { type RunningProxy, startProxy } from './start-proxy.js'
import { awaitSuccessor, succeed } from './succession.js'
import { findSupervision } from './supervised.js'
import { takeoverPath } from './takeover-path.js'

export interface RunOptions {
  file: string
  /** Reload when the file, or one that it includes, changes. */
  watch: boolean
  /** The application and its arguments; empty for none. */
  app: string[]
  /** Follow the process that serves the file now. */
  takeover: boolean
  version: string
  logger: AdjustableLogger
}

/** Runs until the proxy has ended; resolves with the exit code of the process. */
export async function runProxy({ file, watch, app, takeover, version, logger }: RunOptions): Promise<number> {
  const supervision = findSupervision()
  const supervisedApp = supervision?.app ?? null
  const withApp = app.length > 0 || supervisedApp !== null
  if (supervision !== null && app.length > 0) refuseInnerApp()
  if (takeover && withApp) refuseApp()
  const path = takeover ? await takeoverPath(file) : null
  const proxy = await startProxy({ file }, { logger, ...(path === null ? {} : { takeover: path }) })
  const ending = new Ending()
  process.on('SIGTERM', () => ending.signal('SIGTERM'))
  process.on('SIGINT', () => ending.signal('SIGINT'))
  const reloading = reloadOnChange(proxy, { file, watch, logger })
  process.on('SIGUSR1', () => reopenLogs(proxy, logger))
  // Not before the answer to the request that asked for it has left.
  const drain = () => void setImmediate(() => ending.start())
  const startedAt = Math.round(performance.timeOrigin)
  const admin = new AdminDoor({ proxy, drain, logger, process: { version, file, startedAt } })
  try {
    if (path !== null && proxy.succeeds()) await succeed(path, proxy, admin, logger)
    else await admin.open()
    const door = withApp ? null : await awaitSuccessor(file, proxy, admin, ending, logger)
    logger.info(startLine(version, Math.round(performance.now()), bound(proxy)))
    supervision?.ready(proxy.plan().drainDeadlineMs)
    if (supervisedApp !== null) return await runBesideApp(proxy, supervisedApp, ending, logger)
    const [command, ...args] = app
    if (command !== undefined) return await runWithApp(proxy, [command, ...args], ending, logger)
    await ending.begun
    await finish(proxy, ending, logger)
    ending.finish()
    await door?.close()
    return ending.forced ? ending.code() : 0
  } finally {
    reloading.close()
    admin.close()
    await proxy.close()
  }
}

function refuseApp(): never {
  throw new WeftError('WEFT_TAKEOVER_FAILED', 'a process that runs an application cannot follow another one', {
    hint: 'the application belongs to the process that started it: leave out --takeover, or what stands after --',
  })
}

function refuseInnerApp(): never {
  throw new WeftError('WEFT_APP_FAILED', 'with --supervise the application is the supervisor’s', {
    hint: 'write it behind --',
  })
}

/** The plan with the addresses that the listeners really have: a port 0 has become one. */
function bound(proxy: RunningProxy): Pick<Plan, 'listeners' | 'clusters'> {
  const { listeners, clusters } = proxy.plan()
  const real = listeners.map((listener) => {
    const { host, port } = proxy.address(listener.name)
    if (host.startsWith('unix:')) return { ...listener, address: host }
    return { ...listener, address: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}` }
  })
  return { listeners: real, clusters }
}

async function runWithApp(
  proxy: RunningProxy,
  command: readonly [string, ...string[]],
  ending: Ending,
  logger: Logger,
): Promise<number> {
  let ours: AppProcess | null = null
  reapOrphans(
    async () => loadAddon(),
    (pid) => pid === ours?.pid,
  )
  const app = await startApp(command)
  ours = app
  const forwarded = (['SIGUSR2', 'SIGQUIT', 'SIGWINCH', 'SIGCONT'] as const).map((signal) => {
    const forward = () => app.signal(signal)
    process.on(signal, forward)
    return () => process.off(signal, forward)
  })
  try {
    return await runBesideApp(proxy, app, ending, logger)
  } finally {
    for (const stop of forwarded) stop()
  }
}

async function runBesideApp(proxy: RunningProxy, app: AppProcess, ending: Ending, logger: Logger): Promise<number> {
  const first = await Promise.race([app.ended, ending.begun.then(() => null)])
  if (first === null) return endWithApp(proxy, app, ending, logger)
  ending.start()
  await finish(proxy, ending, logger)
  return first
}

/**
 * Inbound work drains while the application lives and can still call others; what is left of the deadline is the
 * application's. Its own requests end last.
 */
async function endWithApp(proxy: RunningProxy, app: AppProcess, ending: Ending, logger: Logger): Promise<number> {
  const end = performance.now() + proxy.plan().drainDeadlineMs
  const early = await Promise.race([app.ended, finish(proxy, ending, logger, true).then(() => null)])
  if (early !== null) return early
  if (!ending.forced) app.signal(ending.by ?? 'SIGTERM')
  const overdue = new Promise<null>((resolve) => {
    setTimeout(() => resolve(null), Math.max(1_000, end - performance.now())).unref()
  })
  const code = ending.forced ? null : await Promise.race([app.ended, overdue, ending.now.then(() => null)])
  if (code === null) app.signal('SIGKILL')
  const ended = await app.ended
  // Whoever asked is gone: nothing is left to wait for, but the sockets are closed in order.
  await proxy.drain({ deadlineMs: 0 })
  return ended
}

/** Drains, unless told to end at once. */
async function finish(proxy: RunningProxy, ending: Ending, logger: Logger, keepOutbound = false): Promise<void> {
  const left = await Promise.race([proxy.drain({ keepOutbound }), ending.now.then(() => null)])
  if (left === null) logger.warn('ended at once; open exchanges were cut')
  else if (left > 0) logger.warn('the drain deadline passed', { exchangesCut: left })
}

/** After a rotation moved the files away. */
function reopenLogs(proxy: RunningProxy, logger: Logger): void {
  for (const { path, reason } of proxy.reopenLogs())
    logger.error('an access log could not be opened again and goes on in the old file', { path, reason })
  logger.info('access logs opened again')
}
