/** A service that counts what reaches it and answers as the test says. */
import { once } from 'node:events'
import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'

const open = new Set<CountedService>()

export class CountedService {
  requests = 0
  last: { method: string; path: string; headers: IncomingHttpHeaders } | null = null
  private readonly server: Server
  private readonly name: string
  private waiting: (() => void)[] = []
  /** How it answers; by default its name with 200. */
  answer: (request: IncomingMessage, response: ServerResponse) => void

  private constructor(name: string) {
    this.name = name
    this.answer = (_, response) => response.end(this.name)
    this.server = createServer((incoming, response) => {
      this.requests += 1
      this.last = { method: incoming.method ?? '', path: incoming.url ?? '', headers: incoming.headers }
      for (const wake of this.waiting.splice(0)) wake()
      incoming.resume()
      this.answer(incoming, response)
    })
    open.add(this)
  }

  static async start(name: string): Promise<CountedService> {
    const service = new CountedService(name)
    service.server.listen(0, '127.0.0.1')
    await once(service.server, 'listening')
    return service
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  /** Resolves when so many requests have come. */
  async reached(count: number): Promise<void> {
    const signal = AbortSignal.timeout(10_000)
    while (this.requests < count) {
      await new Promise<void>((resolve, reject) => {
        this.waiting.push(resolve)
        signal.addEventListener('abort', () =>
          reject(new Error(`${this.name} got ${this.requests} of ${count} requests`)),
        )
      })
    }
  }

  async close(): Promise<void> {
    open.delete(this)
    this.server.closeAllConnections()
    this.server.close()
    await once(this.server, 'close')
  }
}

export async function closeServices(): Promise<void> {
  await Promise.all([...open].map((service) => service.close()))
  agent.destroy()
}

export interface Asked {
  status: number
  body: string
  headers: IncomingHttpHeaders
}

const agent = new Agent({ keepAlive: true })

/** One request to a proxy on this machine, for a host that it knows. */
export function ask(
  port: number,
  host: string,
  path = '/',
  {
    method = 'GET',
    headers = {},
    body = '',
  }: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Asked> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host: '127.0.0.1', port, path, method, agent, headers: { host, ...headers } },
      (response) => {
        let text = ''
        response.on('data', (data) => {
          text += data
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text, headers: response.headers }))
        response.on('error', reject)
      },
    )
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

/** How often each answer came: by body, or by status where it is not 200. */
export async function tally(count: number, once: (index: number) => Promise<Asked>): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (let index = 0; index < count; index += 1) {
    const { status, body } = await once(index)
    const key = status === 200 ? body : String(status)
    counts[key] = (counts[key] ?? 0) + 1
  }
  return counts
}
