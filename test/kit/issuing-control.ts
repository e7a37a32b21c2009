/** A control plane that issues certificates, in the test's own process, with its data planes' verdicts at hand. */
import { once } from 'node:events'
import { connect } from 'node:tls'
import type { ApiClient } from '../../src/control/client/api-client.js'
import { controlConfig, type WrittenControlConfig } from '../../src/control/config/control-config.js'
import type { DataPlanes } from '../../src/control/data-planes/data-planes.js'
import { type DistributionParts, startDistribution } from '../../src/control/distribution.js'
import { createMeshKinds } from '../../src/control/state/mesh-kinds.js'
import { startTestControl, type TestControl } from './control.js'
import { scratchFolder } from './scratch.js'

export interface IssuingControl extends TestControl {
  /** Port of the data planes. */
  xdsPort: number
  authority: NonNullable<DistributionParts['authority']>
  dataPlanes: DataPlanes
  /** Applies resources and waits until every data plane has them. */
  apply(yaml: string): Promise<void>
  /** Waits until every data plane that is connected has the present state. */
  inForce(): Promise<void>
  /** Waits until whoever follows the trusted roots has taken the present ones. */
  rootsTaken(): Promise<void>
}

export const trustDomain = 'shop.example'

export async function startIssuingControl(
  authority: WrittenControlConfig['authority'] = {},
  more: Partial<WrittenControlConfig> = {},
): Promise<IssuingControl> {
  const written = {
    ...{ data: scratchFolder(), mesh: { trustDomain }, xds: { listen: '127.0.0.1:0' }, authority },
    ...more,
  }
  const config = controlConfig.parse(written)
  let dataPlanes: DataPlanes | null = null
  let issuing: DistributionParts['authority'] = null
  const running = await startTestControl(written, {
    kinds: createMeshKinds(config.mesh),
    async distribute(source, parts) {
      issuing = parts.authority
      const distribution = await startDistribution(config, source, parts)
      dataPlanes = distribution.dataPlanes
      return distribution
    },
  })
  if (dataPlanes === null || issuing === null) throw new Error('the control plane has no data planes or no authority')
  const planes: DataPlanes = dataPlanes
  const { followers } = issuing as NonNullable<DistributionParts['authority']>
  const inForce = () => untilApplied(planes, running.control.store.revision())
  return {
    ...running,
    ...{
      xdsPort: Number(running.control.xdsAddress?.split(':').at(-1)),
      authority: issuing,
      dataPlanes: planes,
      inForce,
    },
    async rootsTaken() {
      const signal = AbortSignal.timeout(15_000)
      while (followers.list().some(({ taken }) => !taken)) {
        signal.throwIfAborted()
        await new Promise((resolve) => setImmediate(resolve))
      }
    },
    async apply(yaml) {
      await applyYaml(running, yaml)
      await inForce()
    },
  }
}

async function applyYaml({ control, adminToken }: TestControl, yaml: string): Promise<void> {
  const headers = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/yaml' }
  const answer = await fetch(`${control.url}/v1/apply`, { method: 'POST', headers, body: yaml })
  if (!answer.ok) throw new Error(await answer.text())
}

async function untilApplied(planes: DataPlanes, revision: number): Promise<void> {
  const changes = new EventTarget()
  const end = planes.onChange(() => changes.dispatchEvent(new Event('change')))
  try {
    const signal = AbortSignal.timeout(15_000)
    for (;;) {
      const late = planes.verdicts(revision).filter(({ state }) => state !== 'applied')
      if (late.length === 0) return
      await once(changes, 'change', { signal }).catch(() => {
        throw new Error(`not in force: ${JSON.stringify(late)}`)
      })
    }
  } finally {
    end()
  }
}

export interface Issued {
  serial: string
  chain: string
  key: string
  roots: string
}

export function issue(admin: ApiClient, account: string): Promise<Issued> {
  return admin.ask<Issued>('POST', '/v1/ca/certificates', { account })
}

/** What a client keeps of a handshake to shorten the next; `reused`: the server took it. */
export interface KeptSession {
  session: Buffer | undefined
  reused: boolean
}

/** One TLS handshake with a certificate of its own: `welcome`, or why not. */
export function shake(port: number, { chain, key, roots }: Issued, kept?: KeptSession): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({
      ...(kept?.session !== undefined && { session: kept.session }),
      ...{ host: '127.0.0.1', port, cert: chain, key, ca: roots, maxVersion: 'TLSv1.2' },
      // Names of the mesh are SPIFFE IDs.
      checkServerIdentity: () => undefined,
    })
    socket.setTimeout(5_000, () => socket.destroy(new Error('no handshake in 5 s')))
    const say = (text: string) => {
      socket.destroy()
      resolve(text)
    }
    socket.once('secureConnect', () => {
      if (kept !== undefined) Object.assign(kept, { session: socket.getSession(), reused: socket.isSessionReused() })
      say('welcome')
    })
    socket.once('error', (error: NodeJS.ErrnoException) => say(error.code ?? error.message))
  })
}
