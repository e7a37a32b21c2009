/** The control plane in a program of one's own: `startControlPlane({ data: './mesh' })`. */
import type { Logger } from '../telemetry/logger.js'
import type { WrittenControlConfig } from './config/control-config.js'
import type { Store } from './store/store.js'

export type { WrittenControlConfig as ControlConfig } from './config/control-config.js'

export interface ControlPlane {
  /** Where the API is served. */
  url: string
  /** Where data planes connect; null where nothing is brought anywhere. */
  xdsAddress: string | null
  store: Store
  /** Reads the certificate's files again. */
  renewCertificate(): Promise<void>
  close(): Promise<void>
}

export interface ControlPlaneOptions {
  /** Absent: nothing is logged. */
  logger?: Logger
}

const silent: Logger = { info: () => {}, warn: () => {}, error: () => {} }

/** Throws a `WeftError` with every issue of the configuration. Paths are relative to the working directory. */
export async function startControlPlane(
  config: WrittenControlConfig,
  { logger = silent }: ControlPlaneOptions = {},
): Promise<ControlPlane> {
  // Loaded only here: a program that runs a proxy alone pays nothing for it.
  const { loadControlConfig } = await import('./config/control-config.js')
  const { startWithDataPlanes } = await import('./start-with-data-planes.js')
  return startWithDataPlanes({ config: await loadControlConfig(null, config), version: 'embedded', logger })
}
