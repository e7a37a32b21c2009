/** Bounds of a cluster: exact over all workers, nobody starves at them, and whoever leaves takes nothing with him. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { answer, readAnswer, readRequest, request, value } from '../../kit/h1-message.js'
import { endPrograms } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'
import { ScriptedUpstream } from '../../kit/scripted-upstream.js'
import { startWeft, type Weft } from '../../kit/start-weft.js'
import { Wire } from '../../kit/wire.js'

const kept = { keepAlive: { idleTimeout: '1m' } }

describe('on one worker', () => {
  let upstream: ScriptedUpstream
  /** These two answer every request at once. */
  let one: ScriptedUpstream
  let other: ScriptedUpstream
  let weft: Weft

  beforeAll(async () => {
    upstream = await ScriptedUpstream.open()
    one = await ScriptedUpstream.open()
    other = await ScriptedUpstream.open()
    one.answerAll()
    other.answerAll()
    const at = upstream.port
    const single = { ...kept, circuitBreaker: { maxConnections: 1, maxPending: 2 } }
    weft = await startWeft({
      requests: { upstream: at, cluster: { ...kept, circuitBreaker: { maxRequests: 1 } } },
      connections: { upstream: at, cluster: single },
      closing: { upstream: at, cluster: { ...single, keepAlive: { idleTimeout: 0 } } },
      late: { upstream: at, cluster: single, route: { timeout: '300ms' } },
      two: { upstream: at, cluster: { ...single, endpoints: [`127.0.0.1:${one.port}`, `127.0.0.1:${other.port}`] } },
    })
  })

  afterEach(() => {
    for (const each of [upstream, one, other]) each.clear()
  })

  afterAll(async () => {
    await weft.stop()
    await Promise.all([upstream, one, other].map((each) => each.close()))
  })

  async function send(door: string, path: string): Promise<Wire> {
    const client = await Wire.connect(weft.port(door))
    await client.send(request(`GET ${path}`))
    return client
  }

  const logged = (path: string) => weft.logLine((line) => line.path === path)

  test('a request beyond the bound is 503 and overloaded at once, and the next one is served', async () => {
    const first = await send('requests', '/first')
    const wire = await upstream.next()
    await readRequest(wire)
    const over = await send('requests', '/over')
    const got = await readAnswer(over)
    expect([got.status, value(got, 'x-envoy-overloaded')]).toEqual([503, 'true'])
    expect(await logged('/over')).toMatchObject({ response_flags: 'UO', upstream_request_attempt_count: 0 })
    await wire.send(answer('one'))
    expect((await readAnswer(first)).body).toBe('one')
    await over.send(request('GET /again'))
    expect((await readRequest(wire)).start).toBe('GET /again HTTP/1.1')
    await wire.send(answer('two'))
    expect((await readAnswer(over)).body).toBe('two')
    first.close()
    over.close()
  })

  test('those who wait get the connection itself, and one more than may wait is 503', async () => {
    const before = upstream.accepted
    const first = await send('connections', '/first')
    const wire = await upstream.next()
    await readRequest(wire)
    const clients = await Promise.all(['/a', '/b', '/c'].map((path) => send('connections', path)))
    const answers = clients.map((client) => readAnswer(client))
    const over = await Promise.race(answers)
    expect([over.status, value(over, 'x-envoy-overloaded')]).toEqual([503, 'true'])
    expect(await weft.logLine((line) => line.response_flags === 'UO' && line.path !== '/over')).toBeDefined()
    for (const turn of ['first', 'second', 'third']) {
      await wire.send(answer(turn))
      if (turn !== 'third') await readRequest(wire)
    }
    expect((await readAnswer(first)).body).toBe('first')
    const bodies = (await Promise.all(answers)).filter(({ status }) => status === 200).map(({ body }) => body)
    expect(bodies.sort()).toEqual(['second', 'third'])
    expect(upstream.accepted).toBe(before + 1)
    for (const client of [first, ...clients]) client.close()
  })

  test('a connection that is not kept makes room for the next one', async () => {
    const clients = [await send('closing', '/1'), await send('closing', '/2')]
    for (let round = 0; round < 2; round += 1) {
      const wire = await upstream.next()
      await readRequest(wire)
      await wire.send(answer(`${round}`))
      expect(await wire.ended()).not.toBe('open')
    }
    const got = await Promise.all(clients.map((client) => readAnswer(client)))
    expect(got.map(({ body }) => body).sort()).toEqual(['0', '1'])
    for (const client of clients) client.close()
  })

  test('whoever waits and goes leaves his turn to the next one', async () => {
    const first = await send('connections', '/first')
    const wire = await upstream.next()
    await readRequest(wire)
    const gone = await send('connections', '/gone')
    const stays = await send('connections', '/stays')
    const active = async () => (await weft.metrics()).get('weft_requests_active')
    await expect.poll(active, { timeout: 10_000 }).toBe(3)
    gone.reset()
    expect(await logged('/gone')).toMatchObject({ response_flags: 'DC' })
    await wire.send(answer())
    await readAnswer(first)
    expect((await readRequest(wire)).start).toBe('GET /stays HTTP/1.1')
    await wire.send(answer('his'))
    expect((await readAnswer(stays)).body).toBe('his')
    first.close()
    stays.close()
  })

  test('nobody waits longer than the route takes', async () => {
    // An upload that does not end holds the connection: only silence would cut it.
    const first = await Wire.connect(weft.port('late'))
    await first.send(`${request('POST /held', ['Content-Length: 2'])}h`)
    const wire = await upstream.next()
    await wire.takeThrough('\r\n\r\nh')
    const post = await Wire.connect(weft.port('late'))
    await post.send(request('POST /posted', [], 'body'))
    const got = await readAnswer(post)
    expect([got.status, got.body.includes('connection to spare')]).toEqual([504, true])
    first.close()
    post.close()
  })

  test('an idle connection to another endpoint is given up for whoever waits', async () => {
    const client = await Wire.connect(weft.port('two'))
    for (let round = 0; round < 6; round += 1) {
      await client.send(request(`GET /${round}`))
      expect((await readAnswer(client)).status).toBe(200)
    }
    expect([one.seen.length > 0, other.seen.length > 0]).toEqual([true, true])
    client.close()
  })
})

describe('over several workers', () => {
  afterEach(endPrograms)

  /** Answers when the test says so, and knows the most requests that it ever had at once. */
  async function holding(): Promise<{ upstream: ScriptedUpstream; wires: Wire[] }> {
    const upstream = await ScriptedUpstream.open()
    const wires: Wire[] = []
    const take = async (): Promise<void> => {
      for (;;) {
        const wire = await upstream.next()
        void readRequest(wire).then(() => wires.push(wire))
      }
    }
    void take()
    return { upstream, wires }
  }

  test('ten thousand requests at once on four workers: exactly a hundred are admitted', async () => {
    const { upstream, wires } = await holding()
    const proxy = await ProxyProcess.start(`127.0.0.1:${upstream.port}`, {
      listener: { limits: { maxConnections: 10_500 } },
      cluster: { ...kept, circuitBreaker: { maxRequests: 100 } },
      config: { workers: 4 },
    })
    const statuses: number[] = []
    const clients: Socket[] = []
    for (let index = 0; index < 10_000; index += 1) {
      const client = connect(proxy.port, '127.0.0.1')
      clients.push(client)
      client.setEncoding('latin1').on('error', () => statuses.push(0))
      client.once('connect', () => client.write(request(`GET /${index}`)))
      client.once('data', (text: string) => {
        statuses.push(Number(text.slice(9, 12)))
      })
      // The queue of a listener is not the subject.
      if (index % 200 === 0) await once(client, 'connect')
    }
    await expect.poll(() => statuses.length, { timeout: 20_000 }).toBe(9_900)
    expect(statuses.filter((status) => status === 503).length).toBe(9_900)
    await expect.poll(() => wires.length, { timeout: 10_000 }).toBe(100)
    for (const wire of wires) void wire.send(answer())
    await expect.poll(() => statuses.filter((status) => status === 200).length, { timeout: 10_000 }).toBe(100)
    expect([statuses.length, wires.length]).toEqual([10_000, 100])
    for (const client of clients) client.destroy()
    await proxy.stop()
    await upstream.close()
  }, 60_000)

  test('one connection and two workers: every request is served, and never two connections are open', async () => {
    const upstream = await ScriptedUpstream.open()
    const open = new Set<Wire>()
    let most = 0
    const serve = async (wire: Wire): Promise<void> => {
      open.add(wire)
      most = Math.max(most, open.size)
      wire.socket.once('end', () => open.delete(wire))
      for (;;) {
        await readRequest(wire)
        await wire.send(answer())
      }
    }
    const accept = async (): Promise<void> => {
      for (;;) {
        const wire = await upstream.next()
        void serve(wire).catch(() => wire.close())
      }
    }
    void accept()
    const proxy = await ProxyProcess.start(`127.0.0.1:${upstream.port}`, {
      cluster: { ...kept, circuitBreaker: { maxConnections: 1 } },
      config: { workers: 2 },
    })
    const rounds = 50
    const clients = await Promise.all(Array.from({ length: 16 }, () => Wire.connect(proxy.port)))
    const { workers } = await proxy.stats()
    expect(workers.map(({ connections }) => connections > 0)).toEqual([true, true])
    const took = await Promise.all(
      clients.map(async (client, index) => {
        let longest = 0
        for (let round = 0; round < rounds; round += 1) {
          const began = performance.now()
          await client.send(request(`GET /${index}/${round}`))
          expect((await readAnswer(client)).status).toBe(200)
          longest = Math.max(longest, performance.now() - began)
        }
        return longest
      }),
    )
    expect(Math.max(...took)).toBeLessThan(5_000)
    // An endpoint sees the end of the old connection after the beginning of the new one at times.
    expect(most).toBeLessThanOrEqual(2)
    for (const client of clients) client.close()
    await proxy.stop()
    await upstream.close()
  }, 60_000)
})
