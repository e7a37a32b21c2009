/** Keep-alive connections to a proxy, each known by itself: which of them lives on, and what it answers. */
import { Client } from 'undici'

export class Connections {
  readonly clients: Client[]

  private constructor(clients: Client[]) {
    this.clients = clients
  }

  /** Opens them; each has had one answer. */
  static async open(url: string, count: number): Promise<Connections> {
    const clients = Array.from({ length: count }, () => new Client(url, { keepAliveTimeout: 60_000 }))
    const connections = new Connections(clients)
    const answered = await connections.askAll()
    if (answered !== count) throw new Error(`${answered} of ${count} connections were answered`)
    return connections
  }

  /** One request on each; resolves with how many were answered with 200. */
  async askAll(): Promise<number> {
    const answers = await Promise.allSettled(this.clients.map((client) => ask(client)))
    return answers.filter(({ status }) => status === 'fulfilled').length
  }

  /** Counts connections that break from now on. */
  countBroken(): () => number {
    let broken = 0
    for (const client of this.clients) client.on('disconnect', () => broken++)
    return () => broken
  }

  async close(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.destroy()))
  }
}

async function ask(client: Client): Promise<void> {
  const { statusCode, body } = await client.request({ path: '/bytes/100', method: 'GET' })
  const { byteLength } = await body.arrayBuffer()
  if (statusCode !== 200 || byteLength !== 100) throw new Error(`${statusCode} with ${byteLength} bytes`)
}

/** One request on a connection of its own. Resolves with the milliseconds that it took. */
export async function askOnce(url: string): Promise<number> {
  const begun = performance.now()
  const client = new Client(url)
  await ask(client)
  await client.close()
  return performance.now() - begun
}
