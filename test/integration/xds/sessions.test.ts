import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Asked, CountedService } from '../../kit/counted-service.js'
import { workload } from '../../kit/mesh-source.js'
import { type SteeredMesh, steerMesh } from '../../kit/steered-mesh.js'

let steered: SteeredMesh
let services: CountedService[]

const names = ['a', 'b', 'c', 'd']

beforeAll(async () => {
  services = await Promise.all(names.map((name) => CountedService.start(name)))
  steered = await steerMesh()
  steered.mesh.register(...services.map(({ port }) => workload('cart', port)))
  await steered.inForce()
})
afterAll(() => steered.close())

/** A client that gives back the cookies that it was given, whatever their paths. */
class Client {
  readonly cookies = new Map<string, string>()

  async ask(path = '/', headers: Record<string, string> = {}): Promise<Asked> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await steered.ask('cart', path, { headers: { ...headers, ...(cookie === '' ? {} : { cookie }) } })
    for (const line of answer.headers['set-cookie'] ?? []) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      this.cookies.set(name, value)
    }
    return answer
  }
}

const rule = (text: string) =>
  steered.apply(`
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: cart }
spec:
  parentRefs: [{ group: '', kind: Service, name: cart }]
  rules:
    - ${text}`)

async function bodies(count: number, once: () => Promise<Asked>): Promise<string[]> {
  const answers: string[] = []
  for (let index = 0; index < count; index += 1) {
    const { status, body } = await once()
    answers.push(status === 200 ? body : String(status))
  }
  return [...new Set(answers)].sort()
}

describe('a persistent session', () => {
  it('stays with one endpoint by a cookie, while sessions spread over all of them', async () => {
    await rule('{ sessionPersistence: { sessionName: basket }, backendRefs: [{ name: cart, port: 80 }] }')
    const one = new Client()
    const first = await one.ask()
    expect(first.headers['set-cookie']).toEqual([
      expect.stringMatching(/^basket=[^;]+; Path=\/; SameSite=Strict; HttpOnly$/),
    ])
    expect(await bodies(200, () => one.ask())).toEqual([first.body])
    expect((await one.ask()).headers['set-cookie']).toBeUndefined()
    expect(await bodies(100, () => new Client().ask())).toEqual(names)
  })

  it('moves to another endpoint when its own leaves, and stays there', async () => {
    const one = new Client()
    const { body: before } = await one.ask()
    const leaving = services.find((_, index) => names[index] === before)
    steered.mesh.deregister(`cart-${leaving?.port}`)
    await steered.inForce()
    const moved = await one.ask()
    expect(names).toContain(moved.body)
    expect(moved.body).not.toBe(before)
    expect(await bodies(200, () => one.ask())).toEqual([moved.body])
    steered.mesh.register(workload('cart', leaving?.port ?? 0))
    await steered.inForce()
    expect(await bodies(50, () => one.ask())).toEqual([moved.body])
  })

  it('goes by a header', async () => {
    await rule(
      '{ sessionPersistence: { type: Header, sessionName: x-basket }, backendRefs: [{ name: cart, port: 80 }] }',
    )
    const first = await new Client().ask()
    const session = String(first.headers['x-basket'])
    expect(await bodies(200, () => new Client().ask('/', { 'x-basket': session }))).toEqual([first.body])
    expect(await bodies(100, () => new Client().ask())).toEqual(names)
  })

  it('has a cookie for its path, which tells the end of a permanent one', async () => {
    await rule(
      '{ matches: [{ path: { value: /shop } }], sessionPersistence: { absoluteTimeout: 1h, cookieConfig: { lifetimeType: Permanent } }, backendRefs: [{ name: cart, port: 80 }] }',
    )
    const { headers } = await new Client().ask('/shop/x')
    expect(headers['set-cookie']).toEqual([
      expect.stringMatching(/^weft-session-[0-9a-f]{8}=[^;]+; Max-Age=3600; Path=\/shop; SameSite=Strict; HttpOnly$/),
    ])
  })

  it('ends when its time is over', async () => {
    await rule(
      '{ sessionPersistence: { sessionName: brief, absoluteTimeout: 1s, cookieConfig: { lifetimeType: Permanent } }, backendRefs: [{ name: cart, port: 80 }] }',
    )
    const one = new Client()
    await one.ask()
    // A client that keeps the cookie for longer is given another.
    await expect.poll(async () => (await one.ask()).headers['set-cookie']).toHaveLength(1)
  })

  it('stays with its service where requests are split, though no new session goes there', async () => {
    const green = await CountedService.start('green')
    steered.mesh.register(workload('green', green.port))
    const split = (blue: number, other: number) =>
      rule(
        `{ sessionPersistence: { sessionName: basket }, backendRefs: [{ name: cart, port: 80, weight: ${blue} }, { name: green, port: 80, weight: ${other} }] }`,
      )
    await split(1, 1)
    const clients = Array.from({ length: 40 }, () => new Client())
    const firsts: string[] = []
    for (const one of clients) firsts.push((await one.ask()).body)
    // Of 40 fair choices none is the same each time: 2 × 2^-40.
    expect(firsts).toContain('green')
    expect(firsts.some((body) => body !== 'green')).toBe(true)
    for (const [index, one] of clients.entries()) expect(await bodies(5, () => one.ask())).toEqual([firsts[index]])
    await split(1, 0)
    for (const [index, one] of clients.entries()) expect(await bodies(5, () => one.ask())).toEqual([firsts[index]])
    expect(await bodies(40, () => new Client().ask())).not.toContain('green')
  })
})
