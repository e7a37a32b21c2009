import { EventEmitter, once } from 'node:events'
import { create } from '@bufbuild/protobuf'
import { Client, type ClientDuplexStream, credentials } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import { typeUrls } from '../../../src/control/compile/xds/resources.js'
import { discoveryService } from '../../../src/control/xds/discovery-service.js'
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
} from '../../../src/control/xds/protos/envoy/service/discovery/v3/discovery_pb.js'
import { startXdsServer, type XdsServer, type XdsServerOptions } from '../../../src/control/xds/server.js'
import { runEnvoy, startEnvoy } from '../../kit/envoy.js'
import { freePort } from '../../kit/free-port.js'
import { MemoryMesh, workload } from '../../kit/mesh-source.js'
import { endPrograms } from '../../kit/program.js'
import { weft } from '../../kit/weft-process.js'

const { path, requestSerialize, responseDeserialize } = discoveryService.deltaAggregatedResources

/** A client that takes down what it is sent and answers when it is told to. */
class RawClient extends EventEmitter {
  readonly call: ClientDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>
  readonly responses: DeltaDiscoveryResponse[] = []
  private readonly client: Client

  constructor(port: number, node: string | null, { reads = true } = {}) {
    super()
    this.client = new Client(`127.0.0.1:${port}`, credentials.createInsecure())
    this.call = this.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize)
    this.call.on('error', (error: Error & { code?: number }) => this.emit('ended', error))
    if (reads)
      this.call.on('data', (response: DeltaDiscoveryResponse) => {
        this.responses.push(response)
        this.emit('response')
      })
    this.say({ typeUrl: typeUrls.clusters, ...(node === null ? {} : { node: { id: node, cluster: 'front' } }) })
    open.add(this)
  }

  say(request: Parameters<typeof create<typeof DeltaDiscoveryRequestSchema>>[1]): void {
    this.call.write(create(DeltaDiscoveryRequestSchema, request))
  }

  async response(count: number): Promise<DeltaDiscoveryResponse> {
    while (this.responses.length < count) await once(this, 'response', { signal: AbortSignal.timeout(10_000) })
    const found = this.responses[count - 1]
    if (found === undefined) throw new Error('a response was counted and is not there')
    return found
  }

  close(): void {
    this.call.cancel()
    this.client.close()
  }
}

const open = new Set<RawClient>()
let control: XdsServer
let mesh: MemoryMesh
afterEach(async () => {
  for (const client of open) client.close()
  open.clear()
  await endPrograms()
  await control?.close()
})

async function start(options: Partial<XdsServerOptions> = {}): Promise<void> {
  mesh = new MemoryMesh()
  mesh.register(workload('reviews', 9081))
  control = await startXdsServer({ source: mesh, address: '127.0.0.1:0', quietMs: 10, ...options })
}

describe('the xDS server', () => {
  it('refuses a stream that does not say who it is, and one that may not be who it says', async () => {
    await start({ admit: ({ id }) => (id === 'impostor' ? 'this token is not for impostor' : null) })
    const [nobody] = await once(new RawClient(control.port, null), 'ended')
    expect(nobody).toMatchObject({ code: 3, message: expect.stringContaining('give the bootstrap a node id') })
    const [impostor] = await once(new RawClient(control.port, 'impostor'), 'ended')
    expect(impostor).toMatchObject({ code: 7, message: expect.stringContaining('not for impostor') })
    expect(control.planes()).toEqual([])
  })

  it('ends a stream whose request is too large, and serves the others', async () => {
    await start()
    const large = new RawClient(control.port, 'large')
    await large.response(1)
    large.say({
      typeUrl: typeUrls.endpoints,
      resourceNamesSubscribe: Array.from({ length: 50_000 }, (_, index) => `${'x'.repeat(100)}-${index}`),
    })
    const [error] = await once(large, 'ended')
    expect(error).toMatchObject({ code: 8 })
    expect((await new RawClient(control.port, 'small').response(1)).resources.map(({ name }) => name)).toEqual([
      'default/reviews/main',
    ])
  })

  it('does not let a client that never reads hold up another', async () => {
    await start()
    const stuck = new RawClient(control.port, 'stuck', { reads: false })
    const quick = new RawClient(control.port, 'quick')
    await quick.response(1)
    quick.say({ typeUrl: typeUrls.clusters, responseNonce: '1' })
    for (let round = 2; round <= 30; round += 1) {
      mesh.register(workload(`service-${round}`, 9000 + round))
      const { nonce, resources } = await quick.response(round)
      expect(resources.map(({ name }) => name)).toEqual([`default/service-${round}/main`])
      quick.say({ typeUrl: typeUrls.clusters, responseNonce: nonce })
    }
    const revision = mesh.current().revision
    const pending = control.verdicts(revision).find(({ node }) => node === 'stuck')
    expect(pending?.state).toBe('pending')
    // When it reads at last it has what was open, and is then sent the newest state in one response.
    stuck.call.on('data', (response: DeltaDiscoveryResponse) => {
      stuck.responses.push(response)
      stuck.emit('response')
    })
    expect((await stuck.response(1)).resources.map(({ name }) => name)).toEqual(['default/reviews/main'])
    stuck.say({ typeUrl: typeUrls.clusters, responseNonce: '1' })
    expect((await stuck.response(2)).resources).toHaveLength(29)
  })

  it('makes one push of many changes that come together', async () => {
    await start({ quietMs: 50 })
    const client = new RawClient(control.port, 'client')
    await client.response(1)
    client.say({ typeUrl: typeUrls.clusters, responseNonce: '1' })
    for (let index = 0; index < 100; index += 1) mesh.register(workload(`burst-${index}`, 9000 + index))
    expect((await client.response(2)).resources).toHaveLength(100)
  })

  it('speaks plain gRPC on loopback only, and says which address is taken', async () => {
    await start()
    await expect(startXdsServer({ source: mesh, address: '0.0.0.0:0' })).rejects.toMatchObject({
      code: 'WEFT_XDS_ADDRESS',
    })
    await expect(startXdsServer({ source: mesh, address: `127.0.0.1:${control.port}` })).rejects.toMatchObject({
      code: 'WEFT_XDS_ADDRESS',
    })
  })

  it('sends an Envoy that comes back only what changed, without losing a listener', async () => {
    await start()
    const envoy = await startEnvoy(control.port, {})
    const { port } = control
    const from = envoy.program.output.length
    await control.close()
    mesh.register(workload('ratings', 9082))
    control = await startXdsServer({ source: mesh, address: `127.0.0.1:${port}`, quietMs: 10 })
    await envoy.program.says('response indicates 1 added/updated cluster(s)', from)
    expect((await control.settled(mesh.current().revision, 10_000)).map(({ state }) => state)).toEqual(['applied'])
    expect(envoy.program.output.match(/listener 'outbound'/g)).toHaveLength(1)
  })
})

describe('weft bootstrap', () => {
  it('prints what an Envoy joins the mesh with', async () => {
    await start()
    const outbound = await freePort()
    const args = [
      '--node',
      'cli-1',
      '--service',
      'front',
      '--control',
      `127.0.0.1:${control.port}`,
      '--outbound',
      `127.0.0.1:${outbound}`,
    ]
    const { code, stdout } = await weft('bootstrap', 'envoy', ...args, '--label', 'team=shop', '--region', 'east')
    expect(code).toBe(0)
    await runEnvoy(stdout)
    expect(control.planes()).toMatchObject([
      { node: { id: 'cli-1', service: 'front', labels: { team: 'shop' }, region: 'east' } },
    ])
  })

  it('says what is wrong with its options', async () => {
    await start()
    const base = ['--node', 'n', '--service', 's', '--control']
    for (const [args, message] of [
      [['envoy', ...base, 'nonsense'], '--control: "nonsense" is not host:port'],
      [['envoy', ...base, 'a:1', '--inbound', '127.0.0.1:1'], '--inbound and --app need each other'],
      [['envoy', ...base, 'a:1', '--gateway', '--outbound', '127.0.0.1:1'], 'a gateway has no --outbound'],
      [
        ['envoy', ...base, 'a:1', '--sotw', '--on-demand-hosts'],
        '--on-demand-hosts is for a sidecar that speaks delta',
      ],
      [['grpc', ...base, 'a:1', '--cert', 'c'], '--cert and --key need each other'],
    ] as const) {
      const { code, stderr } = await weft('bootstrap', ...args)
      expect([code, stderr]).toEqual([2, expect.stringContaining(message)])
    }
  })
})
