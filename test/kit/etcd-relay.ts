/** A TCP relay before etcd: cut and mended, or silent, as a network is that loses what it is given. */
import { connect, createServer, type Server, type Socket } from 'node:net'

export interface EtcdRelay {
  url: string
  /** Every connection is reset, and none is taken. */
  cut(): Promise<void>
  mend(): Promise<void>
  /** Connections stay and are taken, and nothing comes through in either direction; `false`: what waited comes. */
  silence(silent: boolean): void
  /** What etcd says on connections that watch waits; everything else comes through. */
  holdWatches(held: boolean): void
  end(): Promise<void>
}

interface Pair {
  client: Socket
  upstream: Socket
  watches: boolean
}

export async function startEtcdRelay(port: number): Promise<EtcdRelay> {
  const pairs = new Set<Pair>()
  let [silent, held] = [false, false]
  const settle = ({ client, upstream, watches }: Pair) => {
    if (silent) client.pause()
    else client.resume()
    if (silent || (held && watches)) upstream.pause()
    else upstream.resume()
  }
  const server: Server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    const pair: Pair = { client, upstream, watches: false }
    pairs.add(pair)
    client.on('data', (bytes) => {
      if (bytes.includes('/v3/watch')) pair.watches = true
      settle(pair)
      upstream.write(bytes)
    })
    upstream.on('data', (bytes) => client.write(bytes))
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('error', () => other.destroy())
      one.on('close', () => {
        pairs.delete(pair)
        other.destroy()
      })
    }
    settle(pair)
  })
  const listen = (on: number) => new Promise<void>((resolve) => server.listen(on, '127.0.0.1', () => resolve()))
  await listen(0)
  const own = (server.address() as { port: number }).port
  const settleAll = () => {
    for (const pair of pairs) settle(pair)
  }
  const cut = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      for (const { client, upstream } of pairs) for (const socket of [client, upstream]) socket.destroy()
    })
  return {
    url: `http://127.0.0.1:${own}`,
    cut,
    mend: () => listen(own),
    silence(now) {
      silent = now
      settleAll()
    },
    holdWatches(now) {
      held = now
      settleAll()
    },
    end: cut,
  }
}
