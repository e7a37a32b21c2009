/** A WebSocket client of the `ws` package whose messages and end can be waited for. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { type ClientOptions, WebSocket } from 'ws'

const open = new Set<WebSocket>()

export class Client {
  readonly socket: WebSocket
  readonly closed: Promise<{ code: number; reason: string }>
  private readonly heard: (string | Buffer)[] = []
  private wake: () => void = () => {}

  private constructor(url: string, protocols: string[], options: ClientOptions) {
    this.socket = new WebSocket(url, protocols, options)
    open.add(this.socket)
    this.socket.on('message', (data, isBinary) => {
      this.heard.push(isBinary ? (data as Buffer) : String(data))
      this.wake()
    })
    this.closed = new Promise((resolve) => {
      this.socket.once('close', (code, reason) => {
        resolve({ code, reason: String(reason) })
        this.wake()
      })
    })
  }

  static async open(url: string, protocols: string[] = [], options: ClientOptions = {}): Promise<Client> {
    const client = new Client(url, protocols, options)
    await once(client.socket, 'open')
    client.socket.on('error', () => {})
    return client
  }

  /** Status, headers and body with which an upgrade is refused. */
  static async refused(url: string): Promise<{ status: number; headers: object; body: string }> {
    const { socket } = new Client(url, [], {})
    socket.on('error', () => {})
    const [, response] = await once(socket, 'unexpected-response')
    const body = Buffer.concat(await response.toArray()).toString()
    return { status: response.statusCode, headers: response.headers, body }
  }

  /** The next message that was not taken yet. */
  async next(): Promise<string | Buffer> {
    while (this.heard.length === 0) {
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error('closed before the message came')
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
    return this.heard.shift() as string | Buffer
  }

  async ask(message: string | Buffer): Promise<string | Buffer> {
    this.socket.send(message)
    return this.next()
  }

  /** Reads nothing until it is told to. */
  stopReading(): void {
    this.stream.pause()
  }

  readOn(): void {
    this.stream.resume()
  }

  get stream(): Socket {
    return (this.socket as unknown as { _socket: Socket })._socket
  }
}

/** Ends every client. */
export function endClients(): void {
  for (const socket of open) socket.terminate()
  open.clear()
}
