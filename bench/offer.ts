/**
 * Clients of several kinds that ask at a rate, whether or not those before were answered, and count who was served. In
 * TypeScript, for thousands of requests a second at most: weft-load asks faster, but for one thing and never in vain.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as after } from 'node:timers/promises'

/** Requests become due by the clock; so often it is looked whether some are. */
const TICK_MS = 2
const LAST_ANSWERS_MS = 3_000

export interface Offer {
  readonly port: number
  /** Requests a second; fewer when all connections wait for answers. */
  readonly rate: number
  readonly connections: number
  /** The kinds of requests take turns in this order. */
  readonly turns: readonly string[]
  /** A request's path and header lines, by its kind. */
  readonly request: (kind: string) => { path: string; lines: readonly string[] }
  /** An answer that comes later is worth nothing. */
  readonly patienceMs: number
  readonly seconds: number
  /** What is asked before this is not counted. */
  readonly settleSeconds: number
}

export interface Count {
  asked: number
  /** Answered with 200, and in time. */
  served: number
}

/** How many of each kind were asked and served. */
export async function offer(options: Offer): Promise<Map<string, Count>> {
  const { port, rate, connections, turns, request, patienceMs, seconds, settleSeconds } = options
  const texts = new Map(turns.map((kind) => [kind, textOf(request(kind))]))
  const counts = new Map(turns.map((kind) => [kind, { asked: 0, served: 0 }]))
  const clients = await Promise.all(Array.from({ length: connections }, () => Client.open(port)))
  const idle = [...clients]
  const [begin, end] = [performance.now(), settleSeconds + seconds]
  for (let asked = 0; ; await after(TICK_MS)) {
    const now = (performance.now() - begin) / 1_000
    if (now >= end) break
    for (; asked < now * rate && idle.length > 0; asked += 1) {
      const client = idle.pop()
      const kind = turns[asked % turns.length] ?? ''
      const count = now < settleSeconds ? { asked: 0, served: 0 } : counts.get(kind)
      if (client === undefined || count === undefined) break
      count.asked += 1
      const sent = performance.now()
      client.ask(texts.get(kind) ?? '', (status) => {
        count.served += Number(status === 200 && performance.now() - sent <= patienceMs)
        idle.push(client)
      })
    }
    // What nobody could send is not made up for.
    if (idle.length === 0) asked = Math.max(asked, Math.floor(now * rate))
  }
  const limit = performance.now() + LAST_ANSWERS_MS
  while (idle.length < clients.length && performance.now() < limit) await after(TICK_MS)
  for (const client of clients) client.close()
  return counts
}

function textOf({ path, lines }: { path: string; lines: readonly string[] }): string {
  return [`GET ${path} HTTP/1.1`, 'Host: bench', ...lines, '', ''].join('\r\n')
}

/** A kept connection with at most one request under way. One that was closed is never idle again. */
class Client {
  readonly #socket: Socket
  #received = ''
  #answered: (status: number) => void = () => {}

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => this.#receive(text))
    socket.on('error', () => socket.destroy())
  }

  static async open(port: number): Promise<Client> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    return new Client(socket)
  }

  ask(text: string, answered: (status: number) => void): void {
    this.#answered = answered
    this.#socket.write(text, 'latin1')
  }

  close(): void {
    this.#socket.destroy()
  }

  #receive(text: string): void {
    this.#received += text
    const head = this.#received.indexOf('\r\n\r\n')
    if (head < 0) return
    const length = /^content-length: *(\d+)/im.exec(this.#received.slice(0, head))?.[1] ?? 0
    if (this.#received.length < head + 4 + Number(length)) return
    const status = Number(this.#received.slice(9, 12))
    this.#received = ''
    this.#answered(status)
  }
}
