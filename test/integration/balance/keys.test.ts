/** Balancers by the command: keys that stay with an endpoint, cookies that are given, failures that draw nobody. */
import { afterEach, describe, expect, it } from 'vitest'
import { realAddon } from '../../kit/faulty-threads.js'
import { freePort } from '../../kit/free-port.js'
import { type Answer, answer, readAnswer, value, values } from '../../kit/h1-message.js'
import { ScriptedUpstream } from '../../kit/scripted-upstream.js'
import { WeftProcess, writeConfig } from '../../kit/weft-process.js'
import { Wire } from '../../kit/wire.js'

let processes: WeftProcess[] = []
let upstreams: ScriptedUpstream[] = []

afterEach(async () => {
  for (const process of processes) process.signal('SIGKILL')
  await Promise.all(processes.map(({ ended }) => ended))
  await Promise.all(upstreams.map((upstream) => upstream.close()))
  processes = []
  upstreams = []
})

/** Endpoints that answer their own name, `a`, `b` and so on. */
async function services(count: number): Promise<string[]> {
  const made = await Promise.all(Array.from({ length: count }, () => ScriptedUpstream.open()))
  made.forEach((upstream, at) => {
    upstream.answerAll(() => answer(String.fromCharCode(97 + at)))
  })
  upstreams.push(...made)
  return made.map(({ port }) => `127.0.0.1:${port}`)
}

interface Started {
  ask(...lines: string[]): Promise<Answer>
  wire(): Promise<Wire>
  marks(): Promise<string[]>
}

async function start(clusters: object[], route: object): Promise<Started> {
  const [port, adminPort] = [await freePort(), await freePort()]
  const file = writeConfig({
    admin: { address: `127.0.0.1:${adminPort}` },
    workers: 2,
    listeners: [{ name: 'edge', address: `127.0.0.1:${port}`, limits: { maxConnections: 100 } }],
    routes: [{ name: 'all', ...route }],
    clusters,
  })
  const process = new WeftProcess(['run', '-c', file], { WEFT_ADDON: realAddon })
  processes.push(process)
  await process.says(' ready in ')
  const wire = () => Wire.connect(port)
  const ask = async (...lines: string[]) => {
    const opened = await wire()
    await opened.send(['GET / HTTP/1.1', 'Host: shop', ...lines, '', ''].join('\r\n'))
    const answered = await readAnswer(opened)
    opened.close()
    return answered
  }
  const marks = async () => {
    const page = await fetch(`http://127.0.0.1:${adminPort}/records?limit=1`)
    const { records } = (await page.json()) as { records: { marks: string[] }[] }
    return records[0]?.marks ?? []
  }
  return { ask, wire, marks }
}

const forward = [{ cluster: 'app' }]
const bodies = (answers: Answer[]) => answers.map(({ body }) => String(body))

describe.each(['maglev', 'ring-hash'])('%s', (policy) => {
  it('keeps a key with its endpoint on each worker and after a restart, and spreads the keys', async () => {
    const endpoints = await services(5)
    const cluster = (order: string[]) => ({
      name: 'app',
      endpoints: order,
      loadBalancer: { policy, hashOn: [{ header: 'X-User' }, { query: 'user' }] },
    })
    const [first, restarted] = [
      await start([cluster(endpoints)], { forward }),
      await start([cluster([...endpoints].reverse())], { forward }),
    ]
    const users = Array.from({ length: 40 }, (_, at) => `user-${at}`)
    const holders = async ({ ask }: Started) => bodies(await Promise.all(users.map((user) => ask(`X-User: ${user}`))))
    const before = await holders(first)
    expect(await holders(first)).toEqual(before)
    expect(await holders(restarted)).toEqual(before)
    expect(new Set(before).size).toBeGreaterThan(3)
  })
})

describe('a cookie with a ttl', () => {
  it('is given to a request without one and keeps the next requests with the same endpoint', async () => {
    const hashOn = [{ cookie: { name: 'lb', ttl: '10m', path: '/shop' } }]
    const app = { name: 'app', endpoints: await services(5), loadBalancer: { policy: 'maglev', hashOn } }
    const { ask, marks } = await start([app], { forward })
    const seen = new Set<string>()
    for (let turn = 0; turn < 12; turn++) {
      const first = await ask()
      const given = /^lb=([0-9a-f]{16}); Max-Age=600; Path=\/shop; HttpOnly$/.exec(value(first, 'set-cookie') ?? '')
      expect(given).not.toBeNull()
      expect(await marks()).toContain('cookie-issued')
      const next = await ask(`Cookie: a=1; lb=${given?.[1]}`)
      expect([String(next.body), values(next, 'set-cookie')]).toEqual([String(first.body), []])
      seen.add(String(first.body))
    }
    expect(seen.size).toBeGreaterThan(1)
  })

  it('keeps requests with a version of a split', async () => {
    const [v1, v2] = await services(2)
    const clusters = [
      { name: 'v1', endpoints: [v1] },
      { name: 'v2', endpoints: [v2] },
    ]
    const { ask } = await start(clusters, {
      forward: [{ cluster: 'v1' }, { cluster: 'v2' }],
      sticky: { cookie: { name: 'version', ttl: '1h' } },
    })
    const seen = new Set<string>()
    for (let turn = 0; turn < 20; turn++) {
      const first = await ask()
      const cookie = value(first, 'set-cookie')?.split(';')[0]
      expect(String((await ask(`Cookie: ${cookie}`)).body)).toBe(String(first.body))
      seen.add(String(first.body))
    }
    expect([...seen].sort()).toEqual(['a', 'b'])
  })
})

describe('bounded load', () => {
  it('sends what is over the bound elsewhere, and says so', async () => {
    const slow = await Promise.all([1, 2, 3].map(() => ScriptedUpstream.open()))
    upstreams.push(...slow)
    const app = {
      name: 'app',
      endpoints: slow.map(({ port }) => `127.0.0.1:${port}`),
      loadBalancer: { policy: 'maglev', boundedLoad: '150%', hashOn: [{ header: 'x-user' }] },
    }
    const { wire, marks } = await start([app], { forward })
    const clients: Wire[] = []
    // One after the other, each held by its endpoint: of six of one key an even share is two, the bound three.
    for (let turn = 0; turn < 6; turn++) {
      const client = await wire()
      await client.send('GET / HTTP/1.1\r\nHost: shop\r\nX-User: ada\r\n\r\n')
      clients.push(client)
      await expect.poll(() => slow.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(turn + 1)
    }
    const held = slow.map(({ accepted }) => accepted).sort()
    expect(Math.max(...held)).toBeLessThanOrEqual(3)
    expect(held.filter((count) => count > 0).length).toBeGreaterThan(1)
    for (const upstream of slow) {
      for (let at = upstream.accepted; at > 0; at--) await (await upstream.next()).send(answer('late'))
    }
    const last = clients.at(-1)
    if (last !== undefined) await readAnswer(last)
    await expect.poll(marks).toContain('load-bounded')
    for (const client of clients) client.close()
  })
})

describe('peak-ewma', () => {
  it('does not feed the endpoint that fails at once', async () => {
    const endpoints = await services(4)
    const failing = await ScriptedUpstream.open()
    upstreams.push(failing)
    failing.answerAll(() => answer('no').replace('200 OK', '503 Service Unavailable'))
    const app = {
      name: 'app',
      endpoints: [...endpoints, `127.0.0.1:${failing.port}`],
      loadBalancer: { policy: 'peak-ewma' },
    }
    const { ask } = await start([app], { forward })
    for (let turn = 0; turn < 200; turn++) await ask()
    expect(failing.seen.length).toBeLessThan(5)
  })
})
