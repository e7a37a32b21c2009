/** The admin server of a process, which may be given up for a successor and taken back when that one dies. */
import type { AdminServer } from '../admin/start-admin.js'
import { isLoopback } from '../config/loopback.js'
import type { Logger } from '../telemetry/logger.js'
import type { WeftProxy } from './start-proxy.js'

export class AdminDoor {
  private readonly proxy: WeftProxy
  private readonly drain: () => void
  private readonly logger: Logger
  private server: AdminServer | null = null

  constructor(proxy: WeftProxy, drain: () => void, logger: Logger) {
    this.proxy = proxy
    this.drain = drain
    this.logger = logger
  }

  /** Starts the server when the configuration names one. */
  async open(): Promise<void> {
    const address = this.proxy.plan().adminAddress
    if (address === null) return
    if (!isLoopback(address)) this.logger.warn('the admin server can be reached from other machines', { address })
    const { startAdmin } = await import('../admin/start-admin.js')
    this.server = await startAdmin({ address, proxy: this.proxy, drain: this.drain })
  }

  close(): void {
    this.server?.close()
    this.server = null
  }
}
