/** A control plane in the test's own process, on a port of its own, with an empty folder. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ApiClient } from '../../src/control/client/api-client.js'
import { controlConfig, type WrittenControlConfig } from '../../src/control/config/control-config.js'
import { type ControlOptions, type ControlPlane, startControl } from '../../src/control/start-control.js'
import type { ResourceKinds } from '../../src/control/state/resource-kinds.js'
import type { Fields, Logger } from '../../src/telemetry/logger.js'
import { envelopeKinds } from './envelope-kinds.js'
import { scratchFolder } from './scratch.js'

export const kinds: ResourceKinds = envelopeKinds([
  { kind: 'HTTPRoute', group: 'gateway.networking.k8s.io' },
  { kind: 'Gateway', group: 'gateway.networking.k8s.io' },
  { kind: 'Gateway', group: 'networking.istio.io' },
  { kind: 'DestinationRule', group: 'networking.istio.io' },
  { kind: 'ServiceEntry', group: 'networking.istio.io' },
  { kind: 'PeerAuthentication', group: 'security.istio.io' },
  { kind: 'AuthorizationPolicy', group: 'security.istio.io' },
])

export interface TestControl {
  control: ControlPlane
  data: string
  /** What it has logged. */
  log: string[]
  adminToken: string
  admin: ApiClient
  as(token: string | null): ApiClient
  close(): Promise<void>
}

export async function startTestControl(
  more: Partial<WrittenControlConfig> = {},
  options: Partial<ControlOptions> = {},
): Promise<TestControl> {
  const data = more.data ?? scratchFolder()
  const config = controlConfig.parse({ data, listen: '127.0.0.1:0', ...more })
  const log: string[] = []
  const say = (message: string, fields?: Fields) =>
    void log.push(fields ? `${message} ${JSON.stringify(fields)}` : message)
  const logger: Logger = { info: say, warn: say, error: say }
  const control = await startControl({ config, version: '0.0.0-test', kinds, logger, ...options })
  const clients: ApiClient[] = []
  const as = (token: string | null) => {
    const client = new ApiClient({ server: control.url, token, ca: null })
    clients.push(client)
    return client
  }
  const adminToken = readFileSync(join(data, 'admin.token'), 'utf8').trim()
  const close = async () => {
    for (const client of clients) client.close()
    await control.close()
  }
  return { control, data, log, adminToken, admin: as(adminToken), as, close }
}

export function httpRoute(name: string, spec: object = {}, metadata: object = {}) {
  return { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'HTTPRoute', metadata: { name, ...metadata }, spec }
}
