/** The upgrade request as handlers see it: kept as the text that it was and read when it is asked. */
import type { SocketRequest } from './define-socket.js'

/** `head` is `METHOD target HTTP/1.1`, then a line `name: value` for each header; lines end with CR LF. */
export class UpgradeRequest implements SocketRequest {
  readonly client: string
  private readonly head: string

  constructor(head: string, client: string) {
    this.head = head
    this.client = client
  }

  get path(): string {
    return this.target().split('?', 1)[0] ?? ''
  }

  get query(): string {
    const target = this.target()
    const mark = target.indexOf('?')
    return mark === -1 ? '' : target.slice(mark + 1)
  }

  get headers(): SocketRequest['headers'] {
    return { get: (name) => this.header(name.toLowerCase()), entries: () => this.entries() }
  }

  private target(): string {
    return this.head.split(' ', 2)[1] ?? ''
  }

  private header(name: string): string | null {
    const values = this.entries().filter(([key]) => key === name)
    return values.length === 0 ? null : values.map(([, value]) => value).join(', ')
  }

  private entries(): [string, string][] {
    const lines = this.head.split('\r\n').slice(1)
    return lines.flatMap((line): [string, string][] => {
      const colon = line.indexOf(':')
      return colon === -1 ? [] : [[line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]]
    })
  }
}
