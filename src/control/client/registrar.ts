/**
 * Keeps one workload registered: registers, sends heartbeats, registers anew when it was forgotten, deregisters.
 *
 * Invariants: the control plane being away is no reason for the application to fail: it is tried again with growing,
 * jittered pauses; an epoch that is not ours any more ends it, because somebody else has taken the id.
 */
import { WeftError } from '../../errors.js'
import type { ApiClient } from './api-client.js'

export interface RegistrarOptions {
  client: ApiClient
  /** The body of a registration. */
  workload: { service: string; namespace: string } & Record<string, unknown>
  /** 0 to 1. */
  random: () => number
  say: (message: string) => void
}

interface Registered {
  id: string
  namespace: string
  service: string
  address: string
  port: number
  epoch: number
  ttlMs: number
}

const firstPauseMs = 500
const longestPauseMs = 15_000
/** Ended by an answer, and not by trying again. */
const final: ReadonlySet<string> = new Set(['WEFT_ACCESS_TOKEN', 'WEFT_ACCESS_FORBIDDEN', 'WEFT_API_REQUEST'])

export class Registrar {
  private readonly options: RegistrarOptions
  private registered: Registered | null = null
  private timer: NodeJS.Timeout | null = null
  private pauseMs = firstPauseMs
  private running: Promise<void> = Promise.resolve()
  private stopped = false

  constructor(options: RegistrarOptions) {
    this.options = options
  }

  /** Resolves after the first try; throws when the control plane refuses for good. */
  async start(): Promise<void> {
    await this.round(true)
  }

  /** Takes it out of the registry; the control plane being away is borne, it evicts in time. */
  async stop(): Promise<void> {
    this.stopped = true
    if (this.timer !== null) clearTimeout(this.timer)
    await this.running
    const { registered } = this
    if (registered === null) return
    this.registered = null
    try {
      await this.options.client.ask('DELETE', `${pathOf(registered)}?epoch=${registered.epoch}`)
      this.options.say(`deregistered ${nameOf(registered)}`)
    } catch (error) {
      this.options.say(`not deregistered: ${(error as Error).message}`)
    }
  }

  private next(afterMs: number): void {
    if (this.stopped) return
    this.timer = setTimeout(() => {
      this.running = this.round(false)
    }, afterMs)
  }

  private async round(first: boolean): Promise<void> {
    try {
      if (this.registered === null) await this.register()
      else await this.beat(this.registered)
      this.pauseMs = firstPauseMs
    } catch (error) {
      if (!(error instanceof WeftError) || (first && final.has(error.code))) throw error
      this.options.say(`${error.message}; trying again`)
      this.next(this.pauseMs * (0.5 + this.options.random()))
      this.pauseMs = Math.min(longestPauseMs, this.pauseMs * 2)
    }
  }

  private async register(): Promise<void> {
    const { client, workload, random, say } = this.options
    const registered = await client.ask<Registered>('POST', '/v1/workloads', workload)
    this.registered = registered
    say(`registered ${nameOf(registered)} at ${registered.address}:${registered.port}`)
    this.next((registered.ttlMs / 3) * (0.8 + 0.2 * random()))
  }

  private async beat(registered: Registered): Promise<void> {
    const { client, random, say } = this.options
    try {
      await client.ask('POST', `${pathOf(registered)}/heartbeat`, { epoch: registered.epoch })
      this.next((registered.ttlMs / 3) * (0.8 + 0.2 * random()))
    } catch (error) {
      if (error instanceof WeftError && error.code === 'WEFT_REGISTRY_UNKNOWN') {
        this.registered = null
        await this.register()
      } else if (error instanceof WeftError && error.code === 'WEFT_REGISTRY_EPOCH') {
        this.registered = null
        say(`${error.message}; this one is no longer registered`)
      } else throw error
    }
  }
}

function pathOf({ namespace, service, id }: Registered): string {
  return `/v1/workloads/${[namespace, service, id].map(encodeURIComponent).join('/')}`
}

function nameOf({ namespace, service, id }: Registered): string {
  return `${namespace}/${service}:${id}`
}
