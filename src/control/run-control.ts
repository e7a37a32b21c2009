/**
 * The life of the `weft control` process: start, certificates read again on SIGHUP, a clean end on SIGTERM or SIGINT.
 *
 * Invariant: a clean end hands the leader's work over before the process is gone.
 */
import type { Logger } from '../telemetry/logger.js'
import type { ControlConfig } from './config/control-config.js'
import type { ControlPlane } from './start-control.js'
import { startWithDataPlanes } from './start-with-data-planes.js'
import { isResourceKind } from './store/key.js'

export interface RunControlOptions {
  config: ControlConfig
  version: string
  logger: Logger
}

/** Runs until it is told to end; resolves with the exit code of the process. */
export async function runControl({ config, version, logger }: RunControlOptions): Promise<number> {
  const ended = new Promise<NodeJS.Signals>((resolve) => {
    process.once('SIGTERM', resolve)
    process.once('SIGINT', resolve)
  })
  const control = await startWithDataPlanes({ config, version, logger })
  process.on('SIGHUP', () => void renew(control, logger))
  logger.info(`weft ${version} control ready in ${Math.round(performance.now())} ms: ${summary(control, config)}`)
  await ended
  await control.close()
  return 0
}

function summary({ url, xdsAddress, store }: ControlPlane, { data, etcd }: ControlConfig): string {
  const place = etcd === null ? `store in ${data}` : `store in etcd at ${etcd.urls.join(', ')}`
  const count = store.list().filter(({ key }) => isResourceKind(key.kind)).length
  return `${url}, xDS on ${xdsAddress}, ${place}, revision ${store.revision()}, ${count} resource${count === 1 ? '' : 's'}`
}

async function renew(control: ControlPlane, logger: Logger): Promise<void> {
  try {
    await control.renewCertificate()
    logger.info('the certificate was read again')
  } catch (error) {
    logger.error(`the certificate stays as it was: ${(error as Error).message}`)
  }
}
