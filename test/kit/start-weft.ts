/**
 * The built command in a process of its own, configured by doors: each is a listener, a route and a cluster of the same
 * name. Its access log is read from its standard output, line by line.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePorts } from './free-port.js'

const command = fileURLToPath(new URL('../../dist/weft.js', import.meta.url))
const patienceMs = 15_000

export interface Door {
  /** Port of the upstream, on loopback. */
  upstream: number
  listener?: Record<string, unknown>
  route?: Record<string, unknown>
  cluster?: Record<string, unknown>
}

export type LogLine = Record<string, string | number | null>

export class Weft {
  readonly lines: string[] = []
  private readonly child: ChildProcess
  private readonly ports: Map<string, number>
  private readonly adminPort: number
  private readonly folder: string
  private partial = ''
  private errors = ''
  private wake: () => void = () => {}

  constructor(doors: Record<string, Door>, ports: Map<string, number>, adminPort: number, more: object) {
    this.ports = ports
    this.adminPort = adminPort
    this.folder = mkdtempSync(join(tmpdir(), 'weft-test-'))
    const file = join(this.folder, 'weft.yaml')
    writeFileSync(file, JSON.stringify({ ...configuration(doors, ports, adminPort), ...more }))
    this.child = spawn(process.execPath, [command, 'run', '-c', file], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.child.stdout?.setEncoding('latin1').on('data', (text: string) => this.logged(text))
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text
      this.wake()
    })
    this.child.on('exit', () => this.wake())
    process.once('exit', () => this.child.kill())
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  port(door: string): number {
    const port = this.ports.get(door)
    if (port === undefined) throw new Error(`no door ${door}`)
    return port
  }

  /** The first line, from the `from`-th on, that a JSON access log wrote and that `matches`. */
  async logLine(matches: (line: LogLine) => boolean, from = 0): Promise<LogLine> {
    const find = () =>
      this.lines
        .slice(from)
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as LogLine)
        .find(matches)
    await this.until(() => find() !== undefined, 'the access log line')
    return find() as LogLine
  }

  /** The next whole line that `matches`, in whatever format. */
  async textLine(matches: RegExp): Promise<string> {
    await this.until(() => this.lines.some((line) => matches.test(line)), `a line like ${matches}`)
    return this.lines.find((line) => matches.test(line)) as string
  }

  /** Samples of the exposition, by name with labels. */
  async metrics(): Promise<Map<string, number>> {
    const page = await (await fetch(`http://127.0.0.1:${this.adminPort}/stats/prometheus`)).text()
    const samples = page.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    return new Map(
      samples.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
    )
  }

  /** Private memory of the process, in bytes. */
  privateBytes(): number {
    const match = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))
    return Number(match?.[1]) * 1024
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name)
  }

  async ready(): Promise<void> {
    await this.until(() => this.errors.includes(' ready in '), 'the start line')
  }

  async stop(): Promise<number | null> {
    if (this.child.exitCode === null) {
      const exited = once(this.child, 'exit')
      this.signal('SIGTERM')
      await exited
    }
    rmSync(this.folder, { recursive: true })
    return this.child.exitCode
  }

  private logged(text: string): void {
    const lines = (this.partial + text).split('\n')
    this.partial = lines.pop() ?? ''
    this.lines.push(...lines)
    this.wake()
  }

  private async until(condition: () => boolean, what: string): Promise<void> {
    const timer = setTimeout(() => this.wake(), patienceMs)
    const end = performance.now() + patienceMs
    while (!condition()) {
      if (this.child.exitCode !== null || performance.now() >= end) {
        const last = this.lines.slice(-5).join('\n')
        throw new Error(`${what} did not come; exit code ${this.child.exitCode}\n${this.errors}\n${last}`)
      }
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
    clearTimeout(timer)
  }
}

/** Starts the command and resolves when it serves. `more` is laid over the configuration. */
export async function startWeft(doors: Record<string, Door>, more: object = {}): Promise<Weft> {
  const names = Object.keys(doors)
  const [adminPort = 0, ...ports] = await freePorts(names.length + 1)
  const weft = new Weft(doors, new Map(names.map((name, place) => [name, ports[place] ?? 0])), adminPort, more)
  await weft.ready()
  return weft
}

function configuration(doors: Record<string, Door>, ports: Map<string, number>, adminPort: number) {
  const entries = Object.entries(doors)
  return {
    admin: { address: `127.0.0.1:${adminPort}` },
    drain: { deadline: '500ms' },
    listeners: entries.map(([name, { listener }]) => ({
      name,
      address: `127.0.0.1:${ports.get(name)}`,
      accessLog: { path: '/dev/stdout', format: 'json' },
      ...listener,
      // Few, so that the limit of open descriptors does for any number of doors; uWebSockets.js counts none.
      limits: { ...(listener?.engine === 'uws' ? {} : { maxConnections: 200 }), ...(listener?.limits as object) },
    })),
    routes: entries.map(([name, { route }]) => ({ name, listeners: [name], forward: [{ cluster: name }], ...route })),
    clusters: entries.map(([name, { upstream, cluster }]) => ({
      name,
      endpoints: [`127.0.0.1:${upstream}`],
      ...cluster,
    })),
  }
}
