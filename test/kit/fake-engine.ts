/** An engine and threads that do what a test tells them, for the orchestrator's own behaviour. */
import type { Addon, Verdict } from '../../src/native/index.js'
import type { Prepared } from '../../src/proxy/prepare.js'
import type { TrafficThread } from '../../src/proxy/traffic-thread.js'
import type { Order } from '../../src/proxy/worker.js'
import type { Fields, Logger } from '../../src/telemetry/logger.js'
import { statsOf } from './stats.js'

export class FakeEngine implements Addon {
  calls: string[] = []
  open = 0
  beats: number[] = []
  /** Workers whose loop stands still. */
  stalled = new Set<number>()
  /** Panics of each worker's present thread. */
  panicked: number[] = []
  rejected: Verdict['rejected'] = []
  logsWritten = true
  private generation = 0

  createProxy(_name: string, workers: number): number {
    this.beats = Array.from({ length: workers }, () => 0)
    this.calls.push(`createProxy ${workers}`)
    return 7
  }

  apply(_proxy: number, snapshot: Buffer): string {
    if (this.rejected.length === 0) this.generation += 1
    this.calls.push(`apply ${snapshot.toString()}`)
    return JSON.stringify({ generation: this.generation, rejected: this.rejected })
  }

  updateEndpoints(_proxy: number, update: Buffer): string {
    this.calls.push(`updateEndpoints ${update.toString()}`)
    return JSON.stringify({ added: 1, changed: 0, removed: 0, rejected: [] })
  }

  events(): string {
    return ''
  }

  check(): string {
    return JSON.stringify(this.rejected)
  }

  explain(): string {
    return JSON.stringify({ rejected: this.rejected, answers: [] })
  }

  replay(): string {
    return JSON.stringify({ rejected: this.rejected, headers: [], redacted: [], decisions: [] })
  }

  explainServed(): string {
    return '[]'
  }

  switchRoute(): string {
    return JSON.stringify({ generation: this.generation, rejected: this.rejected })
  }

  attach(_proxy: number, worker: number): void {
    this.calls.push(`attach ${worker}`)
  }

  createRoot = signsNothing
  createIntermediate = signsNothing
  openSigner = signsNothing
  closeSigner = signsNothing
  issueCertificate = signsNothing
  createRequest = signsNothing
  signRequest = signsNothing
  signRevocations = signsNothing
  readPeer = signsNothing

  takeSockets(): number {
    return -1
  }

  doorEvents(): void {}

  doorListener(): number {
    return 0
  }

  doorRequest(): number {
    return 0
  }

  doorRequestFrom(): number {
    return 0
  }

  doorBody(): boolean {
    return true
  }

  doorPause(): void {}

  doorResume(): void {}

  doorAbort(): void {}

  sendSockets(): void {}

  stopAccepting(): void {
    this.calls.push('stopAccepting')
  }

  active(): number {
    return this.open
  }

  stats(): string {
    return JSON.stringify(statsOf({ generation: this.generation }))
  }

  records(_proxy: number, query: string): string {
    this.calls.push(`records ${query}`)
    return JSON.stringify({ records: [], more: false })
  }

  why(): string {
    return 'null'
  }

  shortages(): string {
    return '[]'
  }

  switches(): string {
    return '[]'
  }

  histograms(): string {
    return JSON.stringify({ routes: [], clusters: [], endpoints: [] })
  }

  reopenLogs(): string {
    return '[]'
  }

  heartbeats(): number[] {
    this.beats = this.beats.map((beat, worker) => (this.stalled.has(worker) ? beat : beat + 1))
    return this.beats
  }

  panics(): number[] {
    return this.panicked
  }

  detach(_proxy: number, worker: number): void {
    this.calls.push(`detach ${worker}`)
  }

  leave(): boolean {
    this.calls.push('leave')
    return false
  }

  flushLogs(): boolean {
    this.calls.push('flushLogs')
    return this.logsWritten
  }

  closeProxy(): void {
    this.calls.push('closeProxy')
  }

  reap(): boolean {
    return false
  }

  scriptHost(): void {}

  scriptResume(): boolean {
    return false
  }

  version(): string {
    return 'fake'
  }
}

/** Threads that live until they are told to end. */
export class FakeThreads {
  readonly started: FakeThread[] = []
  /** Attaching fails while this is set. */
  failing: string | null = null

  readonly start = (): TrafficThread => {
    const thread = new FakeThread(this.failing)
    this.started.push(thread)
    return thread
  }
}

export class FakeThread implements TrafficThread {
  readonly ended: Promise<string>
  worker = -1
  asked: Order[] = []
  end: (reason: string) => void = () => {}
  private readonly failing: string | null

  constructor(failing: string | null) {
    this.failing = failing
    this.ended = new Promise((resolve) => {
      this.end = resolve
    })
  }

  async attach({ worker }: { worker: number }): Promise<void> {
    this.worker = worker
    if (this.failing === null) return
    this.end(this.failing)
    throw new Error(this.failing)
  }

  async load(): Promise<void> {}

  onLine(): void {}

  async ask(order: Order): Promise<void> {
    this.asked.push(order)
  }

  terminate(): void {
    this.end('terminated')
  }
}

export class MemoryLogger implements Logger {
  readonly lines: { level: string; message: string; fields: Fields }[] = []
  info = (message: string, fields: Fields = {}) => void this.lines.push({ level: 'info', message, fields })
  warn = (message: string, fields: Fields = {}) => void this.lines.push({ level: 'warn', message, fields })
  error = (message: string, fields: Fields = {}) => void this.lines.push({ level: 'error', message, fields })
}

export function preparedAs(text: string, plan: Partial<Prepared['plan']> = {}): Prepared {
  const direction = 'gateway' as const
  const listeners = [{ name: 'edge', direction, protocol: 'http', address: '127.0.0.1:8080', clusters: ['app'] }]
  const clusters = [{ name: 'app', endpoints: ['127.0.0.1:9000'] }]
  const whole = {
    workers: null,
    drainDeadlineMs: 1_000,
    hasEvents: false,
    adminAddress: null,
    listeners,
    clusters,
    faulty: false,
    sources: [],
    scripts: [],
    sockets: [],
    warnings: [],
    node: { id: '', service: '', version: '', region: '', zone: '' },
    dump: '{}',
  }
  return { snapshot: Buffer.from(text), plan: { ...whole, ...plan } }
}

function signsNothing(): never {
  throw new Error('this engine signs nothing')
}
