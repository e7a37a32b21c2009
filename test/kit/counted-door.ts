/** A server that takes connections, plain or TLS: says its name to each, echoes what it is sent, and counts. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TLSSocket, connect as tlsConnect } from 'node:tls'

const open = new Set<CountedDoor>()

export class CountedDoor {
  connections = 0
  /** Server names that TLS clients asked for. */
  readonly asked: TLSSocket['servername'][] = []
  private readonly server: Server
  private readonly sockets = new Set<Socket>()

  private constructor(name: string, tls: { cert: string; key: string } | null) {
    const serve = (socket: Socket) => {
      this.connections += 1
      if ('servername' in socket) this.asked.push((socket as TLSSocket).servername)
      this.sockets.add(socket.on('close', () => this.sockets.delete(socket)).on('error', () => socket.destroy()))
      socket.write(`${name}\n`)
      socket.pipe(socket)
    }
    this.server = tls === null ? createServer(serve) : createTlsServer(tls, serve)
    open.add(this)
  }

  static async start(name: string, tls: { cert: string; key: string } | null = null): Promise<CountedDoor> {
    const door = new CountedDoor(name, tls)
    door.server.listen(0, '127.0.0.1')
    await once(door.server, 'listening')
    return door
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  /** Connections that are open now. */
  get open(): number {
    return this.sockets.size
  }

  async close(): Promise<void> {
    open.delete(this)
    for (const socket of this.sockets) socket.destroy()
    this.server.close()
    await once(this.server, 'close')
  }
}

export async function closeDoors(): Promise<void> {
  await Promise.all([...open].map((door) => door.close()))
}

export interface Caller {
  /** The name that the server said; null: the connection was closed without a word. */
  name: string | null
  /** Sends a line and resolves with what comes back; null when the connection is closed instead. */
  echo(line: string): Promise<string | null>
  /** The next line, whoever asked for it; null when the connection is closed instead. */
  next(): Promise<string | null>
  close(): void
}

export interface Calling {
  /** Trusted roots; without, no TLS is spoken. */
  ca?: string
  serverName?: string
  /** Addresses of this machine: where to, and where from. */
  to?: string
  from?: string
  /** Sent at once, before the server has said anything. */
  first?: string
}

/** Resolves when the server has said its name, or has closed the connection. */
export async function call(
  port: number,
  { ca, serverName, first, to: host = '127.0.0.1', from }: Calling = {},
): Promise<Caller> {
  const ends = { port, host, ...(from === undefined ? {} : { localAddress: from }) }
  const socket =
    ca === undefined
      ? connect(ends)
      : tlsConnect({ ...ends, ca, ...(serverName === undefined ? {} : { servername: serverName }) })
  const lines = new Lines(socket)
  if (first !== undefined) socket.write(first)
  return {
    name: await lines.next(),
    echo(line) {
      if (socket.writable) socket.write(`${line}\n`)
      return lines.next()
    },
    next: () => lines.next(),
    close: () => socket.destroy(),
  }
}

/** How often each server answered; `closed` where none did. */
export async function tallyCalls(count: number, port: number, calling?: Calling): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (let index = 0; index < count; index += 1) {
    const caller = await call(port, calling)
    caller.close()
    const key = caller.name ?? 'closed'
    counts[key] = (counts[key] ?? 0) + 1
  }
  return counts
}

class Lines {
  private text = ''
  private over = false
  private wake: () => void = () => {}

  constructor(socket: Socket) {
    socket.on('data', (data) => {
      this.text += data
      this.wake()
    })
    const end = () => {
      this.over = true
      this.wake()
    }
    socket.on('error', end).on('close', end)
  }

  async next(): Promise<string | null> {
    while (!this.text.includes('\n') && !this.over) await new Promise<void>((resolve) => (this.wake = resolve))
    const end = this.text.indexOf('\n')
    if (end === -1) return null
    const line = this.text.slice(0, end)
    this.text = this.text.slice(end + 1)
    return line
  }
}
