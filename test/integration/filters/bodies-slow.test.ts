/**
 * Bodies through filters when one side is slow or goes away: the command in a process of its own, whose memory tells how
 * much it holds.
 */
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { scratchFolder } from '../../kit/scratch.js'
import { startWeft, type Weft } from '../../kit/start-weft.js'

const library = pathToFileURL(join(import.meta.dirname, '../../../dist/index.js')).href
const mebibyte = 1024 * 1024
/** Far more than buffers of kernel and proxy hold together. */
const bodyBytes = 512 * mebibyte
/** Until then the filter's own memory has grown to what the collector leaves it. */
const warmBytes = 32 * mebibyte
const takenBytes = 96 * mebibyte
const boundBytes = 48 * mebibyte
const pieceBytes = 16 * 1024
const folder = scratchFolder()
const block = Buffer.alloc(256 * 1024, 'x')
let endpoint: Server
let connected: (socket: Socket) => void
let weft: Weft

beforeAll(async () => {
  const copy = '({ data }) { return Uint8Array.from(data) }'
  const module = join(folder, 'copy.mjs')
  writeFileSync(
    module,
    `import { defineFilter } from '${library}'
     export default defineFilter({
       name: 'copy', requestBody: 'stream', responseBody: 'stream', onRequestBody${copy}, onResponseBody${copy}
     })`,
  )
  endpoint = createServer({ pauseOnConnect: true }, (socket) => connected(socket))
  endpoint.listen(0, '127.0.0.1')
  await once(endpoint, 'listening')
  const { port } = endpoint.address() as AddressInfo
  weft = await startWeft({ slow: { upstream: port, listener: { filters: [{ module }] } } })
})

afterAll(async () => {
  await weft.stop()
  endpoint.close()
  rmSync(folder, { recursive: true })
})

const arrival = () => new Promise<Socket>((resolve) => (connected = resolve))

async function client(): Promise<Socket> {
  const socket = connect({ port: weft.port('slow'), host: '127.0.0.1' })
  socket.pause()
  await once(socket, 'connect')
  return socket
}

/** Writes for as long as the other side takes it. */
async function pump(to: Socket): Promise<void> {
  const blocks = Array.from({ length: bodyBytes / block.length }, () => block)
  await pipeline(Readable.from(blocks, { objectMode: false }), to, { end: false }).catch(() => {})
}

/** Takes far smaller pieces than the other side gives in the same turns; the most memory that the proxy had. */
async function takeSlowly(from: Socket): Promise<number> {
  let before = 0
  let most = 0
  for (let taken = 0; taken < takenBytes; ) {
    const piece = from.read(pieceBytes) as Buffer | null
    if (piece === null) await once(from, 'readable')
    else taken += piece.length
    await new Promise(setImmediate)
    if (taken < warmBytes) before = Math.max(before, weft.privateBytes())
    else most = Math.max(most, weft.privateBytes() - before)
  }
  return most
}

const active = async () => (await weft.metrics()).get('weft_requests_active')

it('a client that takes its answer slowly makes the filter wait, and one that leaves frees everything', async () => {
  const arrived = arrival()
  const slow = await client()
  slow.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  const upstream = await arrived
  upstream.resume()
  upstream.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bodyBytes}\r\n\r\n`)
  const pumped = pump(upstream)
  expect(await takeSlowly(slow)).toBeLessThan(boundBytes)
  slow.resetAndDestroy()
  await pumped
  await expect.poll(active).toBe(0)
})

it('an endpoint that takes its request slowly makes the filter wait, and one that leaves ends it', async () => {
  const arrived = arrival()
  const fast = await client()
  fast.resume()
  fast.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${bodyBytes}\r\n\r\n`)
  const pumped = pump(fast)
  const upstream = await arrived
  expect(await takeSlowly(upstream)).toBeLessThan(boundBytes)
  upstream.resetAndDestroy()
  await expect.poll(active).toBe(0)
  fast.destroy()
  await pumped
})
