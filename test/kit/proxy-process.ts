/** `weft run` with the real engine, as a process, with one listener, an admin server and the configuration of a test. */
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { ProxyConfig } from '../../src/config/config.js'
import type { Stats } from '../../src/native/index.js'
import { freePort } from './free-port.js'
import { Program, type ProgramOptions } from './program.js'
import { scratchFolder } from './scratch.js'

export const entry = join(import.meta.dirname, '../../dist/weft.js')

export interface ProxyOptions extends ProgramOptions {
  /** Laid over the configuration; `listener`, `route` and `cluster` over its only ones. */
  config?: Partial<ProxyConfig>
  listener?: object
  route?: object
  cluster?: object
  /** Reload when the file changes; by default a test says when. */
  watch?: boolean
  /** Further words for `weft run`. */
  flags?: string[]
  /** A command that runs the proxy, such as `prlimit`. */
  under?: string[]
  /** The application behind `--`, which may be told the proxy's URL. */
  app?: (url: string) => string[]
}

export class ProxyProcess extends Program {
  readonly url: string
  readonly admin: string
  readonly port: number
  readonly file: string
  readonly config: ProxyConfig

  private constructor(command: string[], file: string, config: ProxyConfig, port: number, options: ProgramOptions) {
    super(command[0] ?? '', command.slice(1), options)
    this.file = file
    this.config = config
    this.port = port
    this.url = `http://127.0.0.1:${port}`
    this.admin = `http://${config.admin?.address}`
  }

  /** Resolves when it is ready. */
  static async start(endpoints: string | string[], options: ProxyOptions = {}): Promise<ProxyProcess> {
    const proxy = await ProxyProcess.launch(endpoints, options)
    await proxy.says(' ready in ')
    return proxy
  }

  /** The same without waiting. */
  static async launch(endpoints: string | string[], options: ProxyOptions = {}): Promise<ProxyProcess> {
    const { config: more = {}, listener, route, cluster, watch = false, flags = [], under = [], app } = options
    const port = await freePort()
    const config: ProxyConfig = {
      admin: { address: `127.0.0.1:${await freePort()}` },
      listeners: [{ name: 'edge', address: `127.0.0.1:${port}`, limits: { maxConnections: 500 }, ...listener }],
      routes: [{ name: 'all', forward: [{ cluster: 'app' }], ...route }],
      clusters: [{ name: 'app', endpoints: [endpoints].flat(), ...cluster }],
      ...more,
    }
    const file = join(scratchFolder(), 'weft.yaml')
    writeFileSync(file, stringify(config))
    const after = app === undefined ? [] : ['--', ...app(`http://127.0.0.1:${port}`)]
    const words = ['run', '-c', file, ...(watch ? [] : ['--no-watch']), ...flags, ...after]
    const command = [...under, process.execPath, entry, ...words]
    return new ProxyProcess(command, file, config, port, options)
  }

  /** Writes a configuration in one step, as an editor or a deployment does. */
  write(config: ProxyConfig | string): void {
    writeFileSync(`${this.file}.new`, typeof config === 'string' ? config : stringify(config))
    renameSync(`${this.file}.new`, this.file)
  }

  /** Writes it, sends SIGHUP and resolves when the proxy has said what it did. */
  async reload(config: ProxyConfig | string): Promise<string> {
    this.write(config)
    const from = this.output.length
    this.signal('SIGHUP')
    return (await this.says(/reloaded.*\n/, from))[0]
  }

  async stats(): Promise<Stats> {
    const answer = await fetch(`${this.admin}/stats?format=json`)
    return (await answer.json()) as Stats
  }

  /** Drains and returns the exit code. */
  async stop(): Promise<number | NodeJS.Signals> {
    this.signal('SIGTERM')
    return this.end()
  }
}

/** What a process holds: open descriptors, and resident private memory in KiB. */
export function holdings(pid: number): { descriptors: number; privateKiB: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return {
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    privateKiB: Number(/^RssAnon:\s+(\d+)/m.exec(status)?.[1] ?? Number.NaN),
  }
}
