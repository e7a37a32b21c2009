/** The built command with routes between counted services, and its admin server. */
import type { ProxyConfig } from '../../../src/config/config.js'
import { CountedService, closeServices } from '../../kit/counted-service.js'
import { realAddon } from '../../kit/faulty-threads.js'
import { freePort } from '../../kit/free-port.js'
import { WeftProcess, writeConfig } from '../../kit/weft-process.js'

type Listener = Partial<NonNullable<ProxyConfig['listeners']>[number]>

export interface Started {
  port: number
  file: string
  adminAddress: string
  process: WeftProcess
  services: Record<string, CountedService>
  admin(path: string, method?: string): Promise<string>
  metric(name: string): Promise<number>
  /** The newest record that fits. */
  record(query?: string): Promise<{ id: string; flag: string; marks: string[]; status: number; cluster: string | null }>
}

let running: WeftProcess[] = []

export async function stopAll(): Promise<void> {
  for (const process of running) {
    process.signal('SIGKILL')
    await process.ended
  }
  running = []
  await closeServices()
}

/** A cluster for each name, answered by a service of that name. */
export async function start(
  names: readonly string[],
  routes: NonNullable<ProxyConfig['routes']>,
  listener: Listener = {},
): Promise<Started> {
  const services: Record<string, CountedService> = {}
  for (const name of names) services[name] = await CountedService.start(name)
  const [port, adminPort] = [await freePort(), await freePort()]
  const adminAddress = `127.0.0.1:${adminPort}`
  const file = writeConfig({
    admin: { address: adminAddress },
    workers: 2,
    listeners: [{ name: 'outbound', address: `127.0.0.1:${port}`, limits: { maxConnections: 100 }, ...listener }],
    routes,
    clusters: names.map((name) => ({ name, endpoints: [`127.0.0.1:${services[name]?.port}`] })),
  })
  const process = new WeftProcess(['run', '-c', file], { WEFT_ADDON: realAddon })
  running.push(process)
  await process.says(' ready in ')
  const admin = async (path: string, method = 'GET') =>
    (await fetch(`http://${adminAddress}${path}`, { method })).text()
  const metric = async (name: string) => {
    const line = (await admin('/stats/prometheus')).split('\n').find((line) => line.startsWith(`${name} `))
    return Number(line?.split(' ').at(-1))
  }
  const record = async (query = '') => JSON.parse(await admin(`/records?limit=1${query}`)).records[0]
  return { port, file, adminAddress, process, services, admin, metric, record }
}
