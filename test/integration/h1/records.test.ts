/** What an exchange leaves behind: the access log in its three forms, response flags and metrics that agree with it. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { answer, readAnswer, readHead, readRequest, request } from '../../kit/h1-message.js'
import { ScriptedUpstream } from '../../kit/scripted-upstream.js'
import { startWeft, type Weft } from '../../kit/start-weft.js'
import { Wire } from '../../kit/wire.js'

const format =
  '%REQ(:METHOD)%|%REQ(X-Colour)%|%RESPONSE_CODE%|%RESPONSE_FLAGS%|%RESPONSE_FLAGS_LONG%|%RESP(X-Shape)%|%ROUTE_NAME%\n'

let upstream: ScriptedUpstream
let weft: Weft

beforeAll(async () => {
  upstream = await ScriptedUpstream.open()
  const door = (format: string) => ({
    upstream: upstream.port,
    listener: { accessLog: { path: '/dev/stdout', format } },
    route: { firstByteTimeout: '500ms' },
    cluster: { keepAlive: { idleTimeout: 0 } },
  })
  weft = await startWeft({ json: door('json'), text: door('text'), own: door(format) })
})

afterAll(async () => {
  await weft.stop()
  await upstream.close()
})

/** Plays one exchange of each outcome through a door; each has a path of its own. */
const outcomes: Record<string, { status: number; flag: string; play(client: Wire): Promise<void> }> = {
  served: {
    status: 200,
    flag: '-',
    async play(client) {
      await client.send(request('POST /served', ['X-Colour: red', 'User-Agent: test/1'], 'hello'))
      const wire = await upstream.next()
      await readRequest(wire)
      await wire.send(answer('an answer', 'X-Shape: round'))
      await readAnswer(client)
    },
  },
  malformed: {
    status: 400,
    flag: 'DPE',
    async play(client) {
      await client.send(request('GET /malformed', ['Content-Length: 1', 'Transfer-Encoding: chunked']))
      expect((await readAnswer(client)).status).toBe(400)
    },
  },
  late: {
    status: 504,
    flag: 'UT',
    async play(client) {
      await client.send(request('GET /late'))
      const wire = await upstream.next()
      await readAnswer(client)
      await wire.ended()
    },
  },
  cut: {
    status: 200,
    flag: 'UC',
    async play(client) {
      await client.send(request('GET /cut'))
      const wire = await upstream.next()
      await readRequest(wire)
      await wire.send('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf')
      await readHead(client)
      wire.reset()
      await client.takeRest()
    },
  },
  nonsense: {
    status: 502,
    flag: 'UPE',
    async play(client) {
      await client.send(request('GET /nonsense'))
      const wire = await upstream.next()
      await wire.send('nonsense\r\n\r\n')
      await readAnswer(client)
    },
  },
  gone: {
    status: 0,
    flag: 'DC',
    async play(client) {
      await client.send(request('GET /gone'))
      const wire = await upstream.next()
      await readRequest(wire)
      client.reset()
      await wire.ended()
    },
  },
}

const cases = Object.entries(outcomes)

async function play(door: string, outcome: string): Promise<void> {
  const client = await Wire.connect(weft.port(door))
  await outcomes[outcome]?.play(client)
  client.close()
}

test.each(cases)('JSON: an exchange that was %s', async (name, { status, flag }) => {
  await play('json', name)
  const line = await weft.logLine(({ path, route_name }) => path === `/${name}` && route_name !== 'text')
  const reached = name !== 'malformed'
  expect(line).toMatchObject({
    response_code: status,
    response_flags: flag,
    authority: 'a.example',
    upstream_host: reached ? `127.0.0.1:${upstream.port}` : null,
    downstream_local_address: `127.0.0.1:${weft.port('json')}`,
  })
  expect(line.start_time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  if (name === 'served') expect(line).toMatchObject({ bytes_received: 5, bytes_sent: 9, user_agent: 'test/1' })
})

test.each(cases)("text, Envoy's default: an exchange that was %s", async (name, { status, flag }) => {
  await play('text', name)
  const line = await weft.textLine(new RegExp(`^\\[[^\\]]+Z\\] "[A-Z]+ /${name} HTTP/1.1" `))
  expect(line).toContain(`/${name} HTTP/1.1" ${status} ${flag} `)
  expect(line).toContain(`"a.example" "${name === 'malformed' ? '-' : `127.0.0.1:${upstream.port}`}"`)
})

test('a format string: headers of both messages and flags in words', async () => {
  await play('own', 'served')
  expect(await weft.textLine(/^POST\|/)).toBe('POST|red|200|-|-|round|own')
  await play('own', 'late')
  expect(await weft.textLine(/^GET\|-\|504/)).toBe('GET|-|504|UT|UpstreamRequestTimeout|-|own')
})

test('a client cannot write a line of its own into the log', async () => {
  const client = await Wire.connect(weft.port('text'))
  await client.send(request('GET /quoted', ['User-Agent: a" 200 - "\u001b\u00e9\t']))
  expect((await readAnswer(client)).status).toBe(400)
  await client.ended()
  const second = await Wire.connect(weft.port('text'))
  await second.send(request('GET /quoted', ['User-Agent: a" 200 - "\u00e9\tb', 'Connection: close']))
  await (await upstream.next()).send(answer())
  await readAnswer(second)
  const line = await weft.textLine(/GET \/quoted HTTP\/1.1" 200 /)
  expect(line).not.toContain('a" 200')
})

test('metrics count what the log says, by route, status and flag', async () => {
  const samples = await weft.metrics()
  for (const [name, { status, flag }] of cases) {
    const labels = name === 'malformed' ? ['unknown', 'unknown'] : ['json', 'json']
    const found = [...samples].filter(
      ([key]) =>
        key.startsWith('istio_requests_total{') &&
        key.includes('listener="json"') &&
        key.includes(`route="${labels[0]}"`) &&
        key.includes(`response_code="${status}"`) &&
        key.includes(`response_flags="${flag}"`),
    )
    expect(
      found.map(([, count]) => count),
      `${name}: ${[...samples.keys()].join('\n')}`,
    ).toEqual([1])
  }
  expect(samples.get('weft_panics_total')).toBe(0)
  expect(samples.get('weft_requests_active')).toBe(0)
  expect(samples.get('weft_log_lines_dropped_total')).toBe(0)
})
