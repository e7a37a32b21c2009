/** The admin server of a process, which may be given up for a successor and taken back when that one dies. */
import type { AdminContext } from '../admin/endpoint.js'
import type { AdminServer } from '../admin/start-admin.js'
import { isLoopback } from '../config/forms/loopback.js'
import type { AdjustableLogger } from '../telemetry/logger.js'
import type { RunningProxy } from './start-proxy.js'

export interface AdminDoorOptions extends Omit<AdminContext, 'proxy' | 'logger'> {
  proxy: RunningProxy
  logger: AdjustableLogger
}

export class AdminDoor {
  private readonly options: AdminDoorOptions
  private server: AdminServer | null = null

  constructor(options: AdminDoorOptions) {
    this.options = options
  }

  /** Starts the server when the configuration names one. */
  async open(): Promise<void> {
    const { proxy, logger } = this.options
    const address = proxy.plan().adminAddress
    if (address === null) return
    if (!isLoopback(address)) logger.warn('the admin server can be reached from other machines', { address })
    const { startAdmin } = await import('../admin/start-admin.js')
    this.server = await startAdmin({ address, ...this.options })
  }

  close(): void {
    this.server?.close()
    this.server = null
  }
}
