import { existsSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { grpcBootstrap } from '../../../src/control/bootstrap/grpc.js'
import { fileCertificates } from '../../../src/control/certificates/file-certificates.js'
import { startXdsServer, type XdsServer } from '../../../src/control/xds/server.js'
import { listening, startEnvoy } from '../../kit/envoy.js'
import { MemoryMesh, workload } from '../../kit/mesh-source.js'
import { endPrograms, Program } from '../../kit/program.js'
import { scratchFolder } from '../../kit/scratch.js'
import { TestAuthority } from '../../kit/test-authority.js'

const binary = '.peers/xds-grpc'
const certificates = scratchFolder()

let mesh: MemoryMesh
let control: XdsServer
let client: Program
let authority: TestAuthority
const ports: Record<string, number> = {}

/** What `count` calls were answered with, by the name of the server or by the status. */
async function call(target: string, count: number, ...metadata: string[]): Promise<Record<string, number>> {
  const from = client.stdout.length
  client.child.stdin?.write(`${[target, count, ...metadata].join(' ')}\n`)
  const [line = ''] = await client.says(/\{.*\}\n/, client.output.length - (client.stdout.length - from))
  return JSON.parse(line)
}

/**
 * grpc-go takes new routes in force a moment after it took them, and before its balancers know their clusters: a call in
 * between fails. Resolves when one is answered by one of these.
 */
async function answeredBy(names: string[], ...metadata: string[]): Promise<void> {
  const signal = AbortSignal.timeout(10_000)
  for (;;) {
    const [answered = ''] = Object.keys(await call('greeter:50051', 1, ...metadata))
    if (names.includes(answered)) return
    signal.throwIfAborted()
  }
}

async function inForce(): Promise<void> {
  const verdicts = await control.settled(mesh.current().revision, 10_000)
  expect(verdicts.map(({ state, issues }) => ({ state, issues }))).toEqual(
    verdicts.map(() => ({ state: 'applied', issues: [] })),
  )
}

describe.skipIf(!existsSync(binary))("grpc-go's own xDS client", () => {
  beforeAll(async () => {
    authority = await TestAuthority.create(certificates, scratchFolder())
    for (const account of ['greeter', 'caller']) await authority.identity(account)
    mesh = new MemoryMesh()
    control = await startXdsServer({
      source: mesh,
      address: '127.0.0.1:0',
      quietMs: 10,
      certificates: fileCertificates(certificates),
      mesh: { trustDomain: 'shop.example' },
    })
    for (const name of ['v1', 'v2']) {
      const server = new Program(binary, ['serve', name, '127.0.0.1:0'])
      const [, port] = await server.says(/listening on (\d+)/)
      ports[name] = Number(port)
      mesh.register(workload('greeter', Number(port), { labels: { version: name } }))
    }
    const bootstrap = grpcBootstrap({
      node: 'caller-1',
      service: 'caller',
      namespace: 'default',
      account: '',
      labels: {},
      region: '',
      zone: '',
      control: `127.0.0.1:${control.port}`,
      controlTls: null,
      identity: {
        certificate: `${certificates}/default/caller.crt`,
        key: `${certificates}/default/caller.key`,
        roots: `${certificates}/roots.pem`,
      },
    })
    const env = { GRPC_XDS_BOOTSTRAP_CONFIG: JSON.stringify(bootstrap) }
    client = new Program(binary, ['call'], { stdin: 'pipe', env, timeoutMs: 30_000 })
  })
  afterAll(async () => {
    await endPrograms()
    await control.close()
  })

  it('reaches a registered service without a proxy', async () => {
    // An endpoint takes its share as soon as its connection is there.
    await expect.poll(async () => Object.keys(await call('greeter:50051', 100)).sort()).toEqual(['v1', 'v2'])
    expect(Object.keys(await call('greeter.default', 1))).toHaveLength(1)
  })

  it('follows a GRPCRoute: metadata, methods and weights', async () => {
    mesh.apply(`
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: greeter }
spec: { host: greeter, trafficPolicy: { loadBalancer: { simple: LEAST_REQUEST } }, subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: greeter }
spec:
  hosts: [greeter]
  http:
    - match: [{ headers: { end-user: { exact: tester } } }]
      route: [{ destination: { host: greeter, subset: v2 } }]
    - match: [{ headers: { x-drill: { exact: abort } } }]
      fault: { abort: { grpcStatus: RESOURCE_EXHAUSTED, percentage: { value: 100 } } }
      route: [{ destination: { host: greeter, subset: v1 } }]
    - route: [{ destination: { host: greeter, subset: v1 }, weight: 80 }, { destination: { host: greeter, subset: v2 }, weight: 20 }]
`)
    await inForce()
    await answeredBy(['ResourceExhausted'], 'x-drill=abort')
    expect(await call('greeter:50051', 20, 'end-user=tester')).toEqual({ v2: 20 })
    expect(await call('greeter:50051', 5, 'x-drill=abort')).toEqual({ ResourceExhausted: 5 })
    const { v1 = 0, v2 = 0 } = await call('greeter:50051', 500)
    expect(v1).toBeGreaterThan(350)
    expect(v2).toBeGreaterThan(50)
    expect(v1 + v2).toBe(500)
  })

  it('loses no call while the weights of its routes change', async () => {
    const shift = (weight: number) => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: greeter }
spec: { hosts: [greeter], http: [{ route: [{ destination: { host: greeter, subset: v1 }, weight: ${weight} }, { destination: { host: greeter, subset: v2 }, weight: ${100 - weight} }] }] }
`
    const calls = call('greeter:50051', 3000)
    for (let round = 0; round < 10; round += 1) {
      mesh.apply(shift(5 + 10 * round))
      await inForce()
    }
    const { v1 = 0, v2 = 0, ...lost } = await calls
    expect(lost).toEqual({})
    expect(v1 + v2).toBe(3000)
  })

  it('is told what it cannot do, by name, and keeps to the rest', async () => {
    mesh.delete('VirtualService', 'greeter')
    mesh.apply(`
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: rewriting }
spec:
  parentRefs: [{ group: '', kind: Service, name: greeter }]
  rules:
    - filters: [{ type: URLRewrite, urlRewrite: { hostname: inside } }]
      backendRefs: [{ name: greeter, port: 1 }]
`)
    const [verdict] = await control.settled(mesh.current().revision, 10_000)
    expect(verdict).toMatchObject({
      state: 'refused',
      issues: [
        {
          code: 'WEFT_MESH_UNSUPPORTED',
          origin: { kind: 'HTTPRoute', name: 'rewriting' },
          message: expect.stringContaining('rewriting'),
        },
      ],
    })
    await answeredBy(['v1', 'v2'])
    const { v1 = 0, v2 = 0 } = await call('greeter:50051', 50)
    expect(v1 + v2).toBe(50)
    mesh.delete('HTTPRoute', 'rewriting')
    await inForce()
  })

  it('makes no call of which somebody outside should have been asked', async () => {
    mesh.apply(`
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: asked }
spec:
  parentRefs: [{ kind: Service, name: greeter }]
  rules:
    - filters: [{ type: ExternalAuth, externalAuth: { protocol: GRPC, backendRef: { name: greeter, port: 1 } } }]
      backendRefs: [{ name: greeter, port: 1 }]
`)
    const [verdict] = await control.settled(mesh.current().revision, 10_000)
    expect(verdict?.issues.map(({ message }) => message)).toEqual([expect.stringContaining('external authorization')])
    await answeredBy(['Unavailable'])
    expect(await call('greeter:50051', 20)).toEqual({ Unavailable: 20 })
    mesh.delete('HTTPRoute', 'asked')
    await inForce()
    await answeredBy(['v1', 'v2'])
  })

  it('speaks mutual TLS with its own certificate to a sidecar that takes nothing else', async () => {
    const sidecar = await startEnvoy(control.port, {
      node: 'greeter-1',
      service: 'greeter',
      app: `127.0.0.1:${ports.v1}`,
    })
    mesh.deregister(`greeter-${ports.v2}`)
    mesh.register(workload('greeter', sidecar.inbound, { id: `greeter-${ports.v1}` }))
    mesh.apply(`
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default }
spec: { mtls: { mode: STRICT } }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: callers }
spec:
  selector: { matchLabels: { app: greeter } }
  rules: [{ from: [{ source: { principals: [shop.example/ns/default/sa/caller] } }], to: [{ operation: { paths: [/grpc.health.v1.Health/Check] } }] }]
`)
    await inForce()
    await listening(sidecar.inbound)
    await answeredBy(['v1', 'v2'])
    expect(await call('greeter:50051', 20)).toEqual({ v1: 20 })
    mesh.apply(`
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: callers }
spec: { selector: { matchLabels: { app: greeter } } }
`)
    await inForce()
    expect(await call('greeter:50051', 5)).toEqual({ PermissionDenied: 5 })
  })
})
