/**
 * `startProxy` of the package: a proxy inside a program, on the program's own loop unless threads are asked for.
 *
 * Invariants: several proxies in one process share nothing but the engine's code; what a program got wrong is thrown,
 * what the machine refuses of a correct configuration is told in `rejected`; after `close` nothing is left that keeps
 * the process alive.
 */
import { type Code, WeftError } from '../errors.js'
import { offerDoors } from '../native/door.js'
import type { Logger } from '../telemetry/logger.js'
import type { Change, ConfigSource } from './config-source.js'
import type { ProxyStats } from './proxy-stats.js'
import { type RunningProxy, startProxy } from './start-proxy.js'
import { statsByName } from './stats-by-name.js'

export interface StartOptions {
  /** Threads that carry traffic; absent: as the configuration says, or the caller's own loop. */
  workers?: number | undefined
  /** Absent: warnings and errors are lines on standard error. */
  logger?: Logger | undefined
}

export interface DrainOptions {
  /** How long to wait for what is open, such as `10s`; absent: `drain.deadline` of the configuration. */
  deadline?: string | undefined
}

export interface WeftProxy {
  /** Where a listener really listens; for a unix socket `unix:/path` or `memory` as the host, and port 0. */
  address(listener: string): { host: string; port: number }
  /**
   * Replaces the configuration, all of it or nothing. A configuration that is wrong in itself is thrown as a
   * {@link WeftError} with every issue; one that is right and cannot be put in force here and now, for example because
   * a port is taken, is told in `rejected`. Either way the last one stays in force.
   */
  apply(source: ConfigSource): Promise<Change>
  /** Exact counts, by the names of the configuration. */
  stats(): ProxyStats
  /** To every WebSocket that has subscribed to the topic, on every thread. Text goes as text, bytes as binary. */
  publish(topic: string, data: string | Uint8Array): void
  /** Stops accepting and waits for open exchanges; returns how many were left at the deadline. */
  drain(options?: DrainOptions): Promise<number>
  /** Ends the proxy at once: what is open is cut. Drain first where that matters. */
  close(): Promise<void>
  /** The same as {@link WeftProxy.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

/** Throws a {@link WeftError}: the configuration's issues, or what kept it from being put in force. */
export async function startEmbeddedProxy(source: ConfigSource, options: StartOptions = {}): Promise<WeftProxy> {
  const { workers, logger } = options
  if (workers !== undefined && !(Number.isInteger(workers) && workers >= 0 && workers <= 256)) {
    throw invalid('workers', `workers must be a whole number from 0 to 256, not ${workers}`)
  }
  const running = await startProxy(source, {
    defaultWorkers: 0,
    ...(workers === undefined ? {} : { workers }),
    ...(logger === undefined ? {} : { logger }),
  })
  return new EmbeddedProxy(running)
}

class EmbeddedProxy implements WeftProxy {
  private readonly running: RunningProxy
  private closed = false

  constructor(running: RunningProxy) {
    this.running = running
    offerDoors(this, (listener) => this.open().openDoor(listener))
  }

  address(listener: string): { host: string; port: number } {
    return this.open().address(listener)
  }

  async apply(source: ConfigSource): Promise<Change> {
    const running = this.open()
    try {
      return await running.apply(source)
    } catch (error) {
      if (!(error instanceof WeftError) || error.code !== 'WEFT_SNAPSHOT_REJECTED') throw error
      const rejected = error.issues.map(({ path, code, message }) => ({ path, code, message }))
      return { generation: running.status().generation, unchanged: true, rejected }
    }
  }

  stats(): ProxyStats {
    const running = this.open()
    return statsByName(running.stats(), running.histograms())
  }

  publish(topic: string, data: string | Uint8Array): void {
    this.open().publish(topic, data)
  }

  async drain({ deadline }: DrainOptions = {}): Promise<number> {
    const running = this.open()
    return running.drain(deadline === undefined ? {} : { deadlineMs: await milliseconds(deadline) })
  }

  close(): Promise<void> {
    this.closed = true
    return this.running.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  private open(): RunningProxy {
    if (!this.closed) return this.running
    throw new WeftError('WEFT_PROXY_CLOSED', 'the proxy was closed', { hint: 'start another one with startProxy' })
  }
}

async function milliseconds(deadline: string): Promise<number> {
  // The schema library comes with it, which a program that started from a file has not loaded.
  const { parseDuration } = await import('../config/forms/duration.js')
  const ms = typeof deadline === 'string' ? parseDuration(deadline) : null
  if (ms !== null) return ms
  throw invalid(
    'deadline',
    `${JSON.stringify(deadline)} is not a duration`,
    'write it with units, such as 10s or 250ms',
  )
}

function invalid(path: string, message: string, hint?: string): WeftError {
  const code: Code = 'WEFT_CONFIG_VALUE'
  return new WeftError(code, message, { path, ...(hint === undefined ? {} : { hint }) })
}
