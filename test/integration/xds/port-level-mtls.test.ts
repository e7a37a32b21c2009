import { afterEach, describe, expect, it } from 'vitest'
import { fileCertificates } from '../../../src/control/certificates/file-certificates.js'
import { ask, CountedService, tally } from '../../kit/counted-service.js'
import { listening, startEnvoy } from '../../kit/envoy.js'
import { workload } from '../../kit/mesh-source.js'
import { scratchFolder } from '../../kit/scratch.js'
import { type SteeredMesh, steerMesh } from '../../kit/steered-mesh.js'
import { TestAuthority } from '../../kit/test-authority.js'

let steered: SteeredMesh
const open: { close(): unknown }[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
  await steered.close()
})

const policy = (ports: Record<number, string>) =>
  JSON.stringify({
    ...{ apiVersion: 'security.istio.io/v1', kind: 'PeerAuthentication', metadata: { name: 'reviews' } },
    spec: {
      selector: { matchLabels: { app: 'reviews' } },
      portLevelMtls: Object.fromEntries(Object.entries(ports).map(([port, mode]) => [port, { mode }])),
    },
  })

describe('portLevelMtls of a PeerAuthentication', () => {
  it('holds for the workloads that are called at that port, and their clients follow endpoint by endpoint', async () => {
    const folder = scratchFolder()
    const authority = await TestAuthority.create(folder, scratchFolder())
    for (const account of ['reviews', 'productpage']) await authority.identity(account)
    const certificates = fileCertificates(folder)
    open.push(certificates)
    const apps = [await CountedService.start('one'), await CountedService.start('other')] as const
    steered = await steerMesh({ node: 'productpage-1' }, { certificates, mesh: { trustDomain: 'shop.example' } })
    const doorOf = async (app: CountedService) => {
      const plane = { node: `reviews-${app.port}`, service: 'reviews', app: `127.0.0.1:${app.port}` }
      const { inbound } = await startEnvoy(steered.control.port, plane)
      steered.mesh.register(workload('reviews', inbound))
      return inbound
    }
    const [one, other] = [await doorOf(apps[0]), await doorOf(apps[1])]
    await steered.apply(policy({ [one]: 'STRICT', [other]: 'DISABLE' }))
    for (const port of [one, other]) await listening(port)
    const plainly = (port: number) =>
      ask(port, 'reviews', '/plain', { headers: { connection: 'close' } }).then(
        ({ status }) => status,
        () => 'closed',
      )
    // A listener that was renewed takes the place of the old one a moment later.
    await expect.poll(() => plainly(one)).toBe('closed')
    expect(await plainly(other)).toBe(200)

    const both = async () => {
      for (const app of apps) [app.requests, app.last] = [0, null]
      const answers = await tally(40, () => steered.ask('reviews'))
      expect(answers).toEqual({ one: apps[0].requests, other: apps[1].requests })
      expect(apps.every(({ requests }) => requests > 0)).toBe(true)
      return apps.map(({ last }) => last?.headers['x-forwarded-client-cert']?.includes('sa/productpage') ?? false)
    }
    // Only the one saw a certificate: the other takes none.
    expect(await both()).toEqual([true, false])

    await steered.apply(policy({ [other]: 'STRICT', [one]: 'PERMISSIVE' }))
    await expect.poll(() => plainly(other)).toBe('closed')
    await expect.poll(() => plainly(one)).toBe(200)
    await expect.poll(both).toEqual([false, true])
  })
})
