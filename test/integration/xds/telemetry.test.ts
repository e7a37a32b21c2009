import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Server as GrpcServer, type handleUnaryCall, ServerCredentials } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import { ask, CountedService, tally } from '../../kit/counted-service.js'
import { listening } from '../../kit/envoy.js'
import { workload } from '../../kit/mesh-source.js'
import { scratchFolder } from '../../kit/scratch.js'
import { type SteeredMesh, type SteeringOptions, steerMesh } from '../../kit/steered-mesh.js'

let steered: SteeredMesh
const open: { close(): unknown }[] = []
afterEach(async () => {
  await steered.close()
  for (const one of open.splice(0)) await one.close()
})

type Mesh = NonNullable<SteeringOptions['mesh']>

const telemetry = (name: string, spec: object, namespace = 'default') =>
  `${JSON.stringify({ apiVersion: 'telemetry.istio.io/v1', kind: 'Telemetry', metadata: { name, namespace }, spec })}\n---\n`

async function observed(mesh: Mesh = {}) {
  const app = await CountedService.start('app')
  steered = await steerMesh({ service: 'reviews', app: `127.0.0.1:${app.port}` }, { mesh })
  const { inbound, program } = steered.envoy
  await listening(inbound)
  let count = 0
  const call = (path: string, headers: Record<string, string> = {}) =>
    ask(inbound, 'reviews', path, { headers: { connection: 'close', ...headers } })
  const probe = async (found: boolean, logged: (path: string) => unknown[]) => {
    const signal = AbortSignal.timeout(20_000)
    for (;;) {
      signal.throwIfAborted()
      count += 1
      const path = `/probe-${count}`
      await call(path)
      const bound = performance.now() + 500
      while (performance.now() < bound && logged(path).length === 0)
        await new Promise((resolve) => setTimeout(resolve, 10))
      if (logged(path).length > 0 === found) return
    }
  }
  const lines = () =>
    program.stdout.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as LogLine] : []))
  const logged = (path: string) => lines().filter((line) => line.path === path)
  /** A listener that was renewed takes the place of the old one a moment later: asks until that shows. */
  const logging = () => probe(true, logged)
  const silent = () => probe(false, logged)
  const inTime = async (condition: () => boolean) => {
    const signal = AbortSignal.timeout(20_000)
    while (!condition()) {
      signal.throwIfAborted()
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  return { app, call, logged, logging, silent, inTime }
}

interface LogLine {
  path: string
  [field: string]: unknown
}

describe('accessLogging', () => {
  it('writes a line for each request, of those that a filter lets through, or none', async () => {
    const { app, call, logged, logging, silent, inTime } = await observed()
    await call('/before')
    await steered.apply(telemetry('mesh', { accessLogging: [{ providers: [{ name: 'envoy' }] }] }, 'weft-system'))
    await logging()
    app.answer = (request, response) => response.writeHead(request.url === '/bad' ? 503 : 200).end('body')
    await call('/good?q=1', { 'user-agent': 'test', 'x-request-id': 'abc' })
    await inTime(() => logged('/good?q=1').length === 1)
    expect(logged('/good?q=1')[0]).toMatchObject({
      ...{ method: 'GET', path: '/good?q=1', protocol: 'HTTP/1.1', response_code: 200, bytes_sent: 4 },
      ...{ user_agent: 'test', request_id: 'abc', authority: 'reviews', upstream_host: `127.0.0.1:${app.port}` },
      ...{ upstream_cluster: 'self', response_flags: '-', response_code_details: 'via_upstream' },
    })
    expect(logged('/before')).toEqual([])

    await steered.apply(telemetry('namespace', { accessLogging: [{ filter: { expression: 'response.code >= 400' } }] }))
    await silent()
    await call('/good')
    await call('/bad')
    await inTime(() => logged('/bad').length === 1)
    expect(logged('/good')).toEqual([])

    const disabled = { selector: { matchLabels: { app: 'reviews' } }, accessLogging: [{ disabled: true }] }
    await steered.apply(telemetry('workload', disabled))
    await silent()
    const { requests } = app
    const seen = logged('/bad').length
    await tally(20, () => call('/bad'))
    expect(app.requests).toBe(requests + 20)
    // Written again as soon as the workload's own word is gone: nothing is late.
    steered.mesh.delete('Telemetry', 'workload')
    steered.mesh.delete('Telemetry', 'namespace')
    await steered.inForce()
    await logging()
    expect(logged('/bad').length).toBe(seen)
  })

  it('writes to a file in a format of its own, and of one side alone', async () => {
    const file = join(scratchFolder(), 'access.log')
    const labels = { way: '%REQ(:PATH)%', code: '%RESPONSE_CODE%' }
    const { app, call, inTime } = await observed({
      extensionProviders: [{ name: 'file', envoyFileAccessLog: { path: file, logFormat: { labels } } }],
    })
    steered.mesh.register(workload('ratings', app.port))
    await steered.apply(
      telemetry('client', { accessLogging: [{ match: { mode: 'CLIENT' }, providers: [{ name: 'file' }] }] }),
    )
    const written = () => {
      try {
        return readFileSync(file, 'utf8')
          .split('\n')
          .filter((line) => line !== '')
      } catch {
        return []
      }
    }
    await inTime(() => {
      steered.ask('ratings', '/probe', { headers: { connection: 'close' } }).catch(() => null)
      return written().length > 0
    })
    await call('/inbound')
    await steered.ask('ratings', '/outbound', { headers: { connection: 'close' } })
    await inTime(() => written().some((line) => line.includes('/outbound')))
    expect(written().map((line) => JSON.parse(line))).toContainEqual({ way: '/outbound', code: 200 })
    expect(written().join()).not.toContain('/inbound')
  })

  it('says which Telemetry has a filter that the data plane does not take, and logs on as before', async () => {
    const { logging } = await observed()
    await steered.apply(telemetry('mesh', { accessLogging: [{}] }, 'weft-system'))
    await logging()
    steered.mesh.apply(telemetry('mine', { accessLogging: [{ filter: { expression: 'response.code >=' } }] }))
    const [verdict] = await steered.control.settled(steered.mesh.current().revision, 10_000)
    expect(verdict?.state).toBe('refused')
    // Of both listeners.
    expect(verdict?.issues.map(({ origin }) => `${origin?.name} ${origin?.path}`)).toEqual([
      'mine spec.accessLogging[0]',
      'mine spec.accessLogging[0]',
    ])
    await logging()

    steered.mesh.apply(telemetry('mine', { accessLogging: [{ providers: [{ name: 'elsewhere' }] }] }))
    const [other] = await steered.control.settled(steered.mesh.current().revision, 10_000)
    expect(other?.issues).toMatchObject([
      { message: 'there is no provider elsewhere for access logs', origin: { path: 'spec.accessLogging[0]' } },
    ])
  })
})

describe('tracing', () => {
  it('sends as many spans as it is told, with its tags, to Zipkin', async () => {
    const sink = await Sink.start()
    open.push(sink)
    const { app, call, inTime } = await observed({
      extensionProviders: [
        { name: 'zipkin', zipkin: { service: '127.0.0.1', port: sink.port, path: '/api/v2/spans' } },
      ],
    })
    const tracing = (percent: number, more: object = {}) =>
      telemetry('traces', {
        targetRef: { group: '', kind: 'Service', name: 'reviews' },
        tracing: [{ providers: [{ name: 'zipkin' }], randomSamplingPercentage: percent, ...more }],
      })
    const customTags = {
      shop: { literal: { value: 'east' } },
      tenant: { header: { name: 'X-Tenant', defaultValue: 'nobody' } },
      home: { environment: { name: 'WEFT_NO_SUCH_VARIABLE', defaultValue: 'unset' } },
      asked: { formatter: { value: '%REQ(:METHOD)% %REQ(:PATH)%' } },
    }
    const elsewhere = { targetRef: { kind: 'Service', name: 'other' }, tracing: [{ disableSpanReporting: true }] }
    await steered.apply(telemetry('elsewhere', elsewhere) + tracing(100, { customTags }))
    await inTime(() => {
      call('/probe').catch(() => null)
      return sink.spans.length > 0
    })
    await tally(10, (index) => call(`/all-${index}`, index === 0 ? { 'x-tenant': 'acme' } : {}))
    expect(app.last?.headers.traceparent ?? app.last?.headers['x-b3-traceid']).toBeDefined()
    await inTime(() => sink.of('/all-').length === 10)
    const [first, second] = sink.of('/all-')
    expect(first).toMatchObject({
      tags: { shop: 'east', tenant: 'acme', home: 'unset' },
      localEndpoint: { serviceName: 'reviews' },
    })
    expect(second?.tags.tenant).toBe('nobody')
    const all = Array.from({ length: 10 }, (_, index) => `GET /all-${index}`)
    expect(
      sink
        .of('/all-')
        .map(({ tags }) => tags.asked)
        .sort(),
    ).toEqual(all)

    await steered.apply(tracing(0))
    await settledDown(sink, call)
    await tally(20, (index) => call(`/none-${index}`))
    // Spans that came after would have come before this one, which its caller decided.
    const sampled = {
      'x-b3-traceid': '463ac35c9f6413ad48485a3953bb6124',
      'x-b3-spanid': 'a2fb4a1d1a96d312',
      'x-b3-sampled': '1',
    }
    await tally(6, () => call('/asked-for', sampled))
    await inTime(() => sink.of('/asked-for').length === 6)
    expect(sink.of('/none-')).toEqual([])

    await steered.apply(tracing(100, { disableSpanReporting: true }))
    await settledDown(sink, (path) => call(path, sampled))
    expect(await tally(5, (index) => call(`/off-${index}`, sampled))).toEqual({ app: 5 })
    expect(app.last?.headers['x-b3-traceid']).toBe(sampled['x-b3-traceid'])
    expect(sink.of('/off-')).toEqual([])
  })

  it.each(['http', 'grpc'] as const)('sends spans as OTLP over %s', async (way) => {
    const sink = await (way === 'http' ? Sink.start() : GrpcSink.start())
    open.push(sink)
    const { call, inTime } = await observed({
      extensionProviders: [
        {
          name: 'otlp',
          opentelemetry: {
            service: '127.0.0.1',
            port: sink.port,
            ...(way === 'http' && { http: { path: '/v1/traces' } }),
          },
        },
      ],
      defaultProviders: { accessLogging: [], tracing: ['otlp'] },
    })
    const customTags = { shop: { literal: { value: 'a-shop-in-the-east' } } }
    await steered.apply(telemetry('traces', { tracing: [{ randomSamplingPercentage: 100, customTags }] }))
    await inTime(() => {
      call('/probe').catch(() => null)
      return sink.bodies.some((body) => body.includes('a-shop-in-the-east'))
    })
    expect(sink.bodies.join()).toContain('reviews.default')
  })
})

/** Until a request under the new configuration leaves no span: the old listener takes no connections any more. */
async function settledDown(sink: Sink, call: (path: string) => Promise<unknown>): Promise<void> {
  const signal = AbortSignal.timeout(30_000)
  for (let round = 0; ; round += 1) {
    const path = `/settling-${round}-`
    for (let index = 0; index < 6; index += 1) await call(`${path}${index}`)
    // Envoy sends what it has each 5 s, and as soon as it has 5 spans.
    await new Promise((resolve) => setTimeout(resolve, 200))
    if (sink.of(path).length === 0) return
    signal.throwIfAborted()
  }
}

interface Span {
  tags: Record<string, string>
  localEndpoint: { serviceName: string }
}

/** Takes spans and nothing else. */
class Sink {
  readonly spans: Span[] = []
  readonly bodies: string[] = []
  private readonly server: Server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part) => parts.push(part))
    request.on('end', () => {
      const body = Buffer.concat(parts).toString('latin1')
      this.bodies.push(body)
      if (body.startsWith('[')) this.spans.push(...(JSON.parse(body) as Span[]))
      response.writeHead(202).end()
    })
  })

  static async start(): Promise<Sink> {
    const sink = new Sink()
    sink.server.listen(0, '127.0.0.1')
    await once(sink.server, 'listening')
    return sink
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  of(path: string): Span[] {
    return this.spans.filter(({ tags }) => tags['http.url']?.includes(path))
  }

  close(): void {
    this.server.closeAllConnections()
    this.server.close()
  }
}

class GrpcSink {
  readonly bodies: string[] = []
  port = 0
  private readonly server = new GrpcServer()

  static async start(): Promise<GrpcSink> {
    const sink = new GrpcSink()
    const method = {
      path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
      ...{ requestStream: false, responseStream: false },
      requestSerialize: (bytes: Buffer) => bytes,
      requestDeserialize: (bytes: Buffer) => bytes,
      responseSerialize: (bytes: Buffer) => bytes,
      responseDeserialize: (bytes: Buffer) => bytes,
    }
    const take: handleUnaryCall<Buffer, Buffer> = ({ request }, callback) => {
      sink.bodies.push(request.toString('latin1'))
      callback(null, Buffer.alloc(0))
    }
    sink.server.addService({ export: method }, { export: take })
    sink.port = await new Promise<number>((resolve, reject) =>
      sink.server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      ),
    )
    return sink
  }

  close(): void {
    this.server.forceShutdown()
  }
}
