/**
 * The orchestrator of one proxy: prepares a configuration, applies it to the engine, puts the engine on its threads and
 * answers for both until the end.
 *
 * Invariants: nothing listens unless the whole configuration was accepted; a rejected change leaves everything as it
 * was; changes are applied one after the other.
 */

import { setImmediate as turnOfLoop } from 'node:timers/promises'
import type { Histograms, ProxyStatus } from '../admin/endpoint.js'
import type { Watched } from '../config/files/signature.js'
import type { DoorPlan } from '../door/thread-doors.js'
import { WeftError } from '../errors.js'
import { ScriptNumbers, type ScriptSource } from '../filters/script-source.js'
import { type OpenDoor, openDoor } from '../native/door.js'
import type { ListenerAnswer, Question } from '../native/explanation.js'
import {
  type Addon,
  loadAddon,
  type RecordList,
  type RecordQuery,
  type RouteSwitch,
  type Shortage,
  type Stats,
  type UpdateVerdict,
  type Verdict,
  type Why,
} from '../native/index.js'
import { type Counts, countsOf, withCarried } from '../telemetry/carried.js'
import { createLogger, type Logger } from '../telemetry/logger.js'
import type { Change, ConfigSource } from './config-source.js'
import { Doors } from './doors.js'
import { drain } from './drain.js'
import { EndpointLog } from './endpoint-events.js'
import { type FaultEndings, tellFaultEndings } from './fault-endings.js'
import { writeLine } from './filter-lines.js'
import { type Followed, followSources } from './follow-sources.js'
import { OwnScripts } from './own-scripts.js'
import { withPoolCounts } from './pool-counts.js'
import type { Plan, Prepared } from './prepare.js'
import { prepareApart, prepareEndpointsApart } from './prepare-apart.js'
import { refuseToTravel, rejection, unloadable } from './refusals.js'
import { type SwitchTarget, type SwitchVerdict, switchRoute } from './route-switch.js'
import { type StartThread, startThread } from './traffic-thread.js'
import { type ShortageWatch, watchShortages } from './watch-shortages.js'
import { startWorkers, type Workers } from './workers.js'

/** A log that cannot be written by then, on a full disk for example, must not keep the process. */
const logFlushMs = 1_000

/** How long a running process may take to hand over its listening sockets. */
const takeoverMs = 5_000

export interface StartOptions {
  /** Threads that carry traffic, 0 for the caller's own loop. Absent: as the configuration says. */
  workers?: number
  /** The same where the configuration does not say either; 1 unless given. */
  defaultWorkers?: number
  /** Path at which a running process waits to be taken over: its listening sockets are used where they fit. */
  takeover?: string
  logger?: Logger
  addon?: Addon
  startThread?: StartThread
  prepare?: Prepare
}

/** `reading` is told of every file that was read, also when one of them was refused. */
type Prepare = (
  source: ConfigSource,
  reading: (watched: Watched[]) => void,
  numbers: ScriptNumbers,
) => Promise<Prepared>

export interface RunningProxy {
  /** Where a listener listens; for a unix socket `unix:/path` or `memory` as the host, and port 0. */
  address(listener: string): { host: string; port: number }
  /** Replaces the configuration; throws `WEFT_CONFIG_*` or `WEFT_SNAPSHOT_REJECTED` and then nothing has changed. */
  apply(source: ConfigSource): Promise<Change>
  /** The files that the last configuration, in force or refused, was read from. */
  files(): Watched[]
  /** The plan that is in force. */
  plan(): Plan
  stats(): Stats
  /** The decision records that fit, newest first. */
  records(query: RecordQuery): RecordList
  /** Everything about the newest exchange with this request id; null when there is no record of it. */
  why(id: string): Why | null
  /** What each listener that is asked about would do with a request now. */
  explain(question: Question): ListenerAnswer[]
  /** Sends a route's requests elsewhere until the next configuration; null: back to where they went before. */
  switchRoute(route: string, to: SwitchTarget | null): SwitchVerdict
  /** Routes whose requests go elsewhere than configured, the oldest switch first. */
  switches(): RouteSwitch[]
  /** Durations as HDR histograms: V2, compressed, base64. */
  histograms(): Histograms
  /** Opens the access logs again; those that cannot be opened go on in the old file. */
  reopenLogs(): { path: string; reason: string }[]
  /** Readiness says `failing` while this is set; traffic is served all the same. */
  failHealthcheck(failing: boolean): void
  /** Whether the listening sockets came from the process before this one. */
  succeeds(): boolean
  /** Hands copies of the listening sockets over an open unix socket. */
  sendSockets(descriptor: number): void
  /** All that was counted, for the process that follows. */
  counts(): string
  /** Adds what the process before this one had counted; a later call replaces an earlier one. */
  carry(counts: string): void
  status(): ProxyStatus
  /** A way for requests from within this thread; throws `WEFT_DISPATCHER_REFUSED` where there is none. */
  openDoor(listener: string): OpenDoor
  /**
   * Stops accepting and waits for open exchanges; returns how many were left at the deadline. `keepOutbound`: outbound
   * listeners go on until a later drain without it.
   */
  drain(options?: { deadlineMs?: number; keepOutbound?: boolean }): Promise<number>
  /** To every WebSocket that has subscribed to the topic. */
  publish(topic: string, data: string | Uint8Array): void
  close(): Promise<void>
}

export async function startProxy(source: ConfigSource, options: StartOptions = {}): Promise<RunningProxy> {
  const proxy = new Orchestrator(options)
  await proxy.start(source, options)
  return proxy
}

/** A file is prepared in a thread of its own; a value in place, where the caller pays for the schema library. */
const prepareSource: Prepare = async (source, reading, numbers) => {
  if (isFile(source)) return prepareApart(source.file, reading, numbers)
  const { prepareConfig } = await import('./prepare.js')
  return prepareConfig(source, numbers)
}

function isFile(source: ConfigSource): source is { file: string } {
  return 'file' in source
}

interface Applied {
  plan: Plan
  verdict: Verdict
}

class Orchestrator implements RunningProxy {
  private readonly addon: Addon
  private readonly logger: Logger
  private readonly prepare: Prepare
  private readonly sources: Followed
  private readonly faults: FaultEndings
  private readonly endpointLog: EndpointLog
  private read: Watched[] = []
  private id = -1
  private ownLoop = false
  private readonly ownScripts: OwnScripts
  private readonly numbers = new ScriptNumbers()
  private applied: Applied | null = null
  private workers: Workers | null = null
  private lastChange: Promise<unknown> = Promise.resolve()
  private draining = false
  private failing = false
  private closed: Promise<void> | null = null
  private inherited = false
  private readonly doors: Doors
  private carried: Counts | null = null
  private shortages: ShortageWatch | null = null

  constructor(options: StartOptions) {
    this.addon = options.addon ?? loadAddon()
    this.logger = options.logger ?? standardLogger()
    this.prepare = options.prepare ?? prepareSource
    this.endpointLog = new EndpointLog(() => this.addon.events(this.id), this.logger)
    this.ownScripts = new OwnScripts(this.addon, (line) => writeLine(this.logger, line))
    this.doors = new Doors(this.addon, (line) => writeLine(this.logger, line))
    this.faults = tellFaultEndings(this.logger)
    this.sources = followSources({
      logger: this.logger,
      update: (bytes) => this.updateEndpoints(bytes),
      readEndpoints: prepareEndpointsApart,
    })
  }

  async start(
    source: ConfigSource,
    { workers, defaultWorkers = 1, takeover, startThread: start = startThread }: StartOptions,
  ): Promise<void> {
    // The first thread boots while the configuration is read, which never asks for fewer than one.
    const ahead = (workers ?? defaultWorkers) > 0 ? start() : null
    try {
      const prepared = await this.prepareFor(source)
      const count = workers ?? prepared.plan.workers ?? defaultWorkers
      this.id = this.addon.createProxy('weft', Math.max(1, count))
      if (takeover !== undefined) this.inherit(takeover)
      this.ownLoop = count === 0
      await this.take(prepared)
      const doors = await this.doors.ready(this.doorPlans())
      if (count === 0) {
        this.addon.attach(this.id, 0)
        await this.doors.serveHere(this.id, doors)
      } else {
        const { addon, id: proxy, logger } = this
        const { scripts } = prepared.plan
        this.workers = await startWorkers({ addon, proxy, count, startThread: start, ahead, scripts, logger, doors })
        this.doors.serveOn(this.workers)
      }
      const shortages = () => JSON.parse(this.addon.shortages(this.id)) as Shortage[]
      this.shortages = watchShortages(shortages, this.logger)
    } catch (error) {
      this.sources.close()
      this.faults.close()
      this.endpointLog.close()
      this.doors.close()
      ahead?.terminate()
      await ahead?.ended
      await this.ownScripts.release()
      if (this.id >= 0) this.addon.closeProxy(this.id)
      throw error
    }
  }

  address(listener: string): { host: string; port: number } {
    const { plan, verdict } = this.current()
    const found = [...(verdict.listeners ?? []), ...plan.listeners].find(({ name }) => name === listener)
    if (found === undefined) throw new RangeError(`there is no listener named ${JSON.stringify(listener)}`)
    if (found.address.startsWith('unix:') || found.address === 'memory') return { host: found.address, port: 0 }
    const colon = found.address.lastIndexOf(':')
    return { host: found.address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(found.address.slice(colon + 1)) }
  }

  apply(source: ConfigSource): Promise<Change> {
    const change = this.lastChange.then(async () => {
      const { generation, unchanged = false, rejected } = await this.take(await this.prepareFor(source))
      if (!this.draining) await this.doors.change(this.doorPlans())
      return { generation, unchanged, rejected }
    })
    this.lastChange = change.catch(() => {})
    return change
  }

  files(): Watched[] {
    return this.read
  }

  succeeds(): boolean {
    return this.inherited
  }

  sendSockets(descriptor: number): void {
    this.addon.sendSockets(this.id, descriptor)
  }

  counts(): string {
    return JSON.stringify(countsOf(this.stats()))
  }

  carry(counts: string): void {
    // A process of an earlier version may not have counted everything.
    this.carried = { routes: [], filters: [], ...(JSON.parse(counts) as Omit<Counts, 'routes' | 'filters'>) }
  }

  plan(): Plan {
    return this.current().plan
  }

  stats(): Stats {
    const engine = JSON.parse(this.addon.stats(this.id)) as Stats
    const stats = withPoolCounts(engine, (name) => this.workers?.counted(name) ?? this.ownScripts.sheet.read(name))
    return this.carried === null ? stats : withCarried(stats, this.carried)
  }

  records(query: RecordQuery): RecordList {
    return JSON.parse(this.addon.records(this.id, JSON.stringify(query))) as RecordList
  }

  why(id: string): Why | null {
    return JSON.parse(this.addon.why(this.id, id)) as Why | null
  }

  explain(question: Question): ListenerAnswer[] {
    return JSON.parse(this.addon.explainServed(this.id, JSON.stringify(question))) as ListenerAnswer[]
  }

  switchRoute(route: string, to: SwitchTarget | null): SwitchVerdict {
    const { generation, error } = switchRoute(this.addon, this.id, { route, to }, this.logger)
    const { verdict } = this.current()
    verdict.generation = generation
    return { generation, error }
  }

  switches(): RouteSwitch[] {
    return JSON.parse(this.addon.switches(this.id)) as RouteSwitch[]
  }

  histograms(): Histograms {
    return JSON.parse(this.addon.histograms(this.id)) as Histograms
  }

  reopenLogs(): { path: string; reason: string }[] {
    const failures = JSON.parse(this.addon.reopenLogs(this.id)) as [string, string][]
    return failures.map(([path, reason]) => ({ path, reason }))
  }

  failHealthcheck(failing: boolean): void {
    this.failing = failing
  }

  status(): ProxyStatus {
    const workers = this.workers?.serving() ?? 1
    const up = this.failing ? 'failing' : 'ready'
    const state = this.draining ? 'draining' : workers > 0 && this.closed === null ? up : 'down'
    const { generation } = this.current().verdict
    return { state, generation, workers, replaced: this.workers?.replaced() ?? 0 }
  }

  openDoor(listener: string): OpenDoor {
    const { plan, verdict } = this.current()
    if (this.workers !== null) {
      throw new WeftError(
        'WEFT_DISPATCHER_REFUSED',
        'the proxy serves on threads, and a dispatcher needs it on its own loop',
        {
          hint: 'start it with workers: 0',
        },
      )
    }
    const names = [...(verdict.listeners ?? []), ...plan.listeners].map(({ name }) => name)
    if (!names.includes(listener)) {
      throw new WeftError('WEFT_DISPATCHER_REFUSED', `there is no listener named ${JSON.stringify(listener)}`, {
        hint: `give it one of ${[...new Set(names)].join(', ')}`,
      })
    }
    return { addon: this.addon, place: openDoor(this.addon, this.id, listener) }
  }

  publish(topic: string, data: string | Uint8Array): void {
    void this.doors.publish(this.id, topic, data)
  }

  drain({
    deadlineMs = this.current().plan.drainDeadlineMs,
    keepOutbound = false,
  }: {
    deadlineMs?: number
    keepOutbound?: boolean
  } = {}): Promise<number> {
    this.draining = true
    const staying = keepOutbound ? this.doorPlans().filter(({ name }) => this.isOutbound(name)) : []
    const drained = () => drain(this.addon, this.id, { deadlineMs, keepOutbound })
    return this.doors.leaveWith(deadlineMs, staying, drained)
  }

  close(): Promise<void> {
    this.closed ??= this.end()
    return this.closed
  }

  private async end(): Promise<void> {
    await this.lastChange
    this.shortages?.close()
    this.sources.close()
    this.faults.close()
    this.doors.close()
    if (this.workers === null) await this.leaveOwnLoop()
    await this.workers?.close()
    this.endpointLog.close()
    if (!this.addon.flushLogs(this.id, logFlushMs))
      this.logger.warn('some lines of the access log could not be written')
    this.addon.closeProxy(this.id)
  }

  /** The loop lives on: only what was done for this proxy ends. */
  private async leaveOwnLoop(): Promise<void> {
    while (this.addon.leave(this.id)) await turnOfLoop()
    this.addon.detach(this.id, 0)
    await this.ownScripts.release()
  }

  /** Last before serving: until then the process before this one has them to itself. */
  private inherit(path: string): void {
    try {
      this.inherited = this.addon.takeSockets(this.id, path, takeoverMs) >= 0
    } catch (cause) {
      const hint = 'look at the log of the running process'
      throw new WeftError('WEFT_TAKEOVER_FAILED', (cause as Error).message, { hint, cause })
    }
  }

  private async take({ snapshot, plan }: Prepared): Promise<Verdict> {
    if (!this.ownLoop) refuseToTravel(plan.sockets, plan.scripts)
    await this.loadScripts(plan.scripts)
    const bytes = Buffer.from(snapshot.buffer, snapshot.byteOffset, snapshot.byteLength)
    const verdict = JSON.parse(this.addon.apply(this.id, bytes)) as Verdict
    if (verdict.rejected.length > 0) throw rejection(verdict)
    for (const warning of plan.warnings) this.logger.warn(warning)
    this.applied = { plan, verdict }
    this.workers?.keep(plan.scripts)
    await this.ownScripts.keep(plan.scripts)
    this.sources.renew(plan.sources)
    this.faults.renew(plan.faulty ? this.stats().faults : [])
    this.endpointLog.follow(plan.hasEvents)
    return verdict
  }

  /** Every thread can run the filters of a snapshot before it sees the snapshot. */
  private async loadScripts(scripts: ScriptSource[]): Promise<void> {
    if (scripts.length === 0) return
    try {
      await (this.ownLoop ? this.ownScripts.load(scripts) : this.workers?.load(scripts))
    } catch (error) {
      throw unloadable(scripts, error as Error)
    }
  }

  private prepareFor(source: ConfigSource): Promise<Prepared> {
    const reading = (watched: Watched[]) => {
      this.read = watched
    }
    return this.prepare(source, reading, this.numbers)
  }

  private updateEndpoints(bytes: Uint8Array): UpdateVerdict {
    const update = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    return JSON.parse(this.addon.updateEndpoints(this.id, update)) as UpdateVerdict
  }

  /** The listeners in force whose connections TypeScript accepts; `memory` has none. */
  private doorPlans(): DoorPlan[] {
    const { verdict, plan } = this.current()
    return (verdict.listeners ?? []).flatMap(({ name, address, door }) => {
      if (!door || !address.includes(':')) return []
      const place = plan.listeners.findIndex((listener) => listener.name === name)
      return [{ name, address, sockets: plan.sockets[place] ?? [] }]
    })
  }

  private isOutbound(listener: string): boolean {
    return this.current().plan.listeners.some(({ name, direction }) => name === listener && direction === 'outbound')
  }

  private current(): Applied {
    if (this.applied === null) throw new Error('the proxy has not been started')
    return this.applied
  }
}

function standardLogger(): Logger {
  const write = (line: string) => void process.stderr.write(line)
  return createLogger({ format: 'text', colour: process.stderr.isTTY === true, write, now: () => new Date() })
}
