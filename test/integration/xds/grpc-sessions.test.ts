/** Sessions of gRPC calls through an Envoy: a client that gives back the cookie of its first answer stays where it was. */
import { Client, credentials, Metadata, Server, ServerCredentials } from '@grpc/grpc-js'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { workload } from '../../kit/mesh-source.js'
import { type SteeredMesh, steerMesh } from '../../kit/steered-mesh.js'

const path = '/shop.Cart/Add'
const same = (bytes: Buffer) => bytes
const names = ['a', 'b', 'c']

let steered: SteeredMesh
let client: Client
const calls = new Map(names.map((name) => [name, 0]))
const servers: Server[] = []

beforeAll(async () => {
  steered = await steerMesh()
  for (const name of names) steered.mesh.register(workload('cart', await serve(name)))
  await steered.apply(`
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: { name: cart }
spec:
  parentRefs: [{ group: '', kind: Service, name: cart }]
  rules: [{ matches: [{ method: { service: shop.Cart } }], sessionPersistence: { sessionName: basket }, backendRefs: [{ name: cart, port: 80 }] }]`)
  client = new Client(`127.0.0.1:${steered.envoy.outbound}`, credentials.createInsecure(), {
    'grpc.default_authority': 'cart',
  })
})
afterAll(async () => {
  client.close()
  for (const server of servers) server.forceShutdown()
  await steered.close()
})

function serve(name: string): Promise<number> {
  const server = new Server()
  servers.push(server)
  const method = { path, requestStream: false, responseStream: false } as const
  const bytes = { requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same }
  server.addService(
    { add: { ...method, ...bytes } },
    {
      add: (_: unknown, answer: (error: null, bytes: Buffer) => void) => {
        calls.set(name, (calls.get(name) ?? 0) + 1)
        answer(null, Buffer.from(name))
      },
    },
  )
  return new Promise((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    ),
  )
}

function add(cookie?: string): Promise<{ name: string; cookies: string[] }> {
  const metadata = new Metadata()
  if (cookie !== undefined) metadata.set('cookie', cookie)
  return new Promise((resolve, reject) => {
    let cookies: string[] = []
    client
      .makeUnaryRequest(path, same, same, Buffer.from('x'), metadata, (error, answer) =>
        error === null ? resolve({ name: String(answer), cookies }) : reject(error),
      )
      .on('metadata', (answered) => {
        cookies = answered.get('set-cookie').map(String)
      })
  })
}

it('stay with one endpoint, while others spread', async () => {
  const first = await add()
  expect(first.cookies).toEqual([expect.stringMatching(/^basket=[^;]+; Path=\/shop\.Cart; SameSite=Strict; HttpOnly$/)])
  const before = calls.get(first.name) ?? 0
  for (let index = 0; index < 200; index += 1)
    expect(await add(first.cookies[0]?.split(';')[0])).toEqual({ name: first.name, cookies: [] })
  expect((calls.get(first.name) ?? 0) - before).toBe(200)
  const others = new Set<string>()
  for (let index = 0; index < 100; index += 1) others.add((await add()).name)
  expect([...others].sort()).toEqual(names)
})
