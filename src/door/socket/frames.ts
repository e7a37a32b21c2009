/**
 * WebSocket frames towards an endpoint, by the codec of the package `ws`; its declarations leave the codec out.
 *
 * Invariant: the client's side of the protocol, so every frame that goes out is masked.
 */
import * as library from 'ws'

/** The reading side: frames are written to it, messages come as events. */
export interface Receiver {
  readonly writableNeedDrain: boolean
  /** False: nothing more before `drain`. */
  write(bytes: Uint8Array): boolean
  /** `done` runs when everything that was written has been read. */
  end(done: () => void): void
  removeAllListeners(): this
  on(event: 'message', listener: (data: Buffer, isBinary: boolean) => void): this
  on(event: 'ping' | 'pong', listener: (data: Buffer) => void): this
  on(event: 'conclude', listener: (code: number, reason: Buffer) => void): this
  on(event: 'drain', listener: () => void): this
  on(event: 'error', listener: (error: Error & { code?: string }) => void): this
}

/** The writing side. `data` may be taken back after the call unless it is compressed. */
export interface Sender {
  send(data: Buffer, options: SendOptions, done?: () => void): void
  ping(data: Buffer, mask: true): void
  pong(data: Buffer, mask: true): void
  close(code: number | undefined, reason: Buffer | undefined, mask: true): void
  onerror: (error: Error) => void
}

interface Deflate {
  offer(): object
  accept(parameters: object[]): object
  cleanup(): void
}

interface Codec {
  Receiver: new (options: {
    extensions: Record<string, Deflate>
    isServer: false
    maxPayload: number
    maxFragments: number
  }) => Receiver
  Sender: new (socket: FrameSink, extensions: Record<string, Deflate>) => Sender
  PerMessageDeflate: new (options: object, isServer: false, maxPayload: number) => Deflate
  extension: { format(extensions: object): string; parse(header: string): Record<string, object[]> }
}

interface SendOptions {
  binary: boolean
  compress: boolean
  mask: true
  fin: true
}

/** What a sender writes to. */
export interface FrameSink {
  readonly destroyed: boolean
  cork(): void
  uncork(): void
  write(bytes: Buffer | string, done?: () => void): void
}

const codec = library as unknown as Codec
const deflateName = 'permessage-deflate'

/** The codec of one connection. */
export class Frames {
  receiver: Receiver | null = null
  sender: Sender | null = null
  compressed = false
  private readonly deflate: Deflate | null
  private readonly maxMessageBytes: number

  constructor(compressing: boolean, maxMessageBytes: number) {
    this.maxMessageBytes = maxMessageBytes
    // Without a context kept between messages: an idle connection then holds no window of 32 KiB each way.
    const options = { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 128 }
    this.deflate = compressing ? new codec.PerMessageDeflate(options, false, maxMessageBytes) : null
  }

  /** The header line that offers compression; null: none is offered. */
  offer(): string | null {
    return this.deflate === null ? null : codec.extension.format({ [deflateName]: this.deflate.offer() })
  }

  /** `extensions` is the endpoint's answer to the offer. Throws when it is none. */
  begin(extensions: string | null, sink: FrameSink): { receiver: Receiver; sender: Sender } {
    const agreed: Record<string, Deflate> = {}
    if (extensions !== null) {
      const { [deflateName]: parameters, ...others } = codec.extension.parse(extensions)
      if (this.deflate === null || parameters === undefined || Object.keys(others).length > 0) {
        throw new Error(`the endpoint wants an extension that was not offered: ${extensions}`)
      }
      this.deflate.accept(parameters)
      agreed[deflateName] = this.deflate
      this.compressed = true
    }
    const maxPayload = this.maxMessageBytes
    this.receiver = new codec.Receiver({ extensions: agreed, isServer: false, maxPayload, maxFragments: 65_536 })
    this.sender = new codec.Sender(sink, agreed)
    return { receiver: this.receiver, sender: this.sender }
  }

  end(): void {
    this.receiver?.removeAllListeners().on('error', () => {})
    this.deflate?.cleanup()
  }
}
