/** The built command with one door and a list of routes; each cluster is a scripted upstream that answers its own name. */
import type { ProxyConfig } from '../../src/config/config.js'
import { realAddon } from './faulty-threads.js'
import { freePort } from './free-port.js'
import { type Answer, answer, type Message, readAnswer } from './h1-message.js'
import { ScriptedUpstream } from './scripted-upstream.js'
import { WeftProcess, writeConfig } from './weft-process.js'
import { Wire } from './wire.js'

type Routes = NonNullable<ProxyConfig['routes']>

export class RoutedWeft {
  readonly port: number
  private readonly adminPort: number
  private readonly process: WeftProcess
  private readonly upstreams: Map<string, ScriptedUpstream>

  private constructor(port: number, adminPort: number, process: WeftProcess, upstreams: Map<string, ScriptedUpstream>) {
    this.port = port
    this.adminPort = adminPort
    this.process = process
    this.upstreams = upstreams
  }

  /** Every cluster that a route names is started; `dead` is one that nobody answers for. */
  static async start(routes: Routes, listener: object = {}): Promise<RoutedWeft> {
    const names = new Set(routes.flatMap(({ forward }) => (forward ?? []).map(({ cluster }) => cluster)))
    const upstreams = new Map<string, ScriptedUpstream>()
    for (const name of names) {
      if (name === 'dead') continue
      const upstream = await ScriptedUpstream.open()
      upstream.answerAll(() => answer(name, 'Server: app', 'X-Internal: secret'))
      upstreams.set(name, upstream)
    }
    const port = await freePort()
    const adminPort = await freePort()
    const deadPort = await freePort()
    const config = {
      admin: { address: `127.0.0.1:${adminPort}` },
      listeners: [{ name: 'edge', address: `127.0.0.1:${port}`, limits: { maxConnections: 100 }, ...listener }],
      routes,
      clusters: [...names].map((name) => ({
        name,
        endpoints: [`127.0.0.1:${upstreams.get(name)?.port ?? deadPort}`],
      })),
    }
    const process = new WeftProcess(['run', '-c', writeConfig(config)], { WEFT_ADDON: realAddon })
    await process.says(' ready in ')
    return new RoutedWeft(port, adminPort, process, upstreams)
  }

  /** Sends one request on a connection of its own. */
  async ask(host: string, start: string, lines: string[] = []): Promise<Answer> {
    const wire = await Wire.connect(this.port)
    await wire.send([`${start} HTTP/1.1`, `Host: ${host}`, ...lines, '', ''].join('\r\n'))
    const answered = await readAnswer(wire, start.split(' ')[0])
    wire.close()
    return answered
  }

  /** The last request that a cluster got. */
  last(cluster: string): Message {
    const request = this.upstreams.get(cluster)?.seen.at(-1)
    if (request === undefined) throw new Error(`${cluster} got no request`)
    return request
  }

  /** A page of the admin server. */
  async admin(path: string): Promise<string> {
    return (await fetch(`http://127.0.0.1:${this.adminPort}${path}`)).text()
  }

  async stop(): Promise<void> {
    this.process.signal('SIGKILL')
    await this.process.ended
    for (const upstream of this.upstreams.values()) await upstream.close()
  }
}
