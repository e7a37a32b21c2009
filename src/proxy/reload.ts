/**
 * Reload: on SIGHUP, and when a file of the configuration changes.
 *
 * Invariant: what cannot be put in force changes nothing and is told with file, path and line; the files that it was
 * read from are watched all the same, for mending one of them is a change.
 */
import { watchFiles } from '../discovery/watch.js'
import { WeftError } from '../errors.js'
import type { Logger } from '../telemetry/logger.js'
import type { RunningProxy } from './start-proxy.js'

export interface ReloadOptions {
  file: string
  watch: boolean
  logger: Logger
}

export function reloadOnChange(proxy: RunningProxy, { file, watch, logger }: ReloadOptions): { close(): void } {
  let running = 0
  const again = async () => {
    running += 1
    await reload(proxy, file, logger)
    running -= 1
    files?.renew(proxy.files())
  }
  // What changes while the files are being read shows when they are followed again from what was read.
  const files = watch ? watchFiles(proxy.files(), () => void (running === 0 && again())) : null
  process.on('SIGHUP', () => void again())
  return { close: () => files?.close() }
}

async function reload(proxy: RunningProxy, file: string, logger: Logger): Promise<void> {
  // A process that drains, perhaps because another one has taken its sockets, must not listen anew.
  if (proxy.status().state === 'draining') return
  const before = proxy.plan()
  const switches = proxy.switches()
  try {
    const { generation, unchanged } = await proxy.apply({ file })
    logger.info(unchanged ? 'reloaded; what is served did not change' : 'reloaded', { file, generation })
    for (const { route, cluster } of switches) {
      logger.warn('the switch of a route is undone: the configuration decides again', { route, cluster })
    }
    const after = proxy.plan()
    for (const name of ['workers', 'adminAddress'] as const) {
      if (before[name] !== after[name]) logger.warn(`a change of ${name} takes effect at the next start`)
    }
  } catch (error) {
    if (!(error instanceof WeftError)) throw error
    logger.error(`not reloaded, everything stays as it was: ${error.message}`, { code: error.code, ...hinted(error) })
    for (const issue of error.issues) {
      const { path, code, message, line } = issue
      logger.error(message, { file: issue.file ?? file, line, path, code, ...hinted(issue) })
    }
  }
}

function hinted({ hint }: { hint: string | null }): { hint?: string } {
  return hint === null ? {} : { hint }
}
