/**
 * Requests of TypeScript's on their way through the engine: both crossings, the turn of the loop between them and the
 * exchange itself, which the engine answers without an endpoint.
 */
import { existsSync } from 'node:fs'
import { type DoorClient, doorEvent, enterDoor, openDoor } from '../../src/native/door.js'
import { loadAddon } from '../../src/native/index.js'
import { prepareConfig } from '../../src/proxy/prepare.js'
import type { MicroBench } from './micro-bench.js'

const head = [
  'GET /shop/cart?item=17 HTTP/1.1',
  'host: shop.example',
  'user-agent: bench/1.0',
  'accept: */*',
  'x-request-id: 8f14e45f-ceea-467f-a8d3-0a1b2c3d4e5f',
  '',
  '',
].join('\r\n')

/** Requests that enter in one turn of the loop: what a busy door has at hand. */
const batch = 100

async function answered(bodyBytes: number) {
  if (!existsSync('dist/weft.node')) return null
  const addon = loadAddon()
  const { snapshot } = await prepareConfig({
    listeners: [{ name: 'in', address: 'memory' }],
    routes: [{ name: 'all', respond: { status: 200, body: 'x'.repeat(bodyBytes) } }],
    clusters: [],
  })
  const id = addon.createProxy('bench', 1)
  addon.apply(id, Buffer.from(snapshot))
  addon.attach(id, 0)
  const place = openDoor(addon, id, 'in')
  let left = 0
  let done = () => {}
  const client: DoorClient = {
    told(event) {
      left -= 1
      if (event !== doorEvent.wholeAnswer) throw new Error(`the answer came in parts (${event})`)
      if (left === 0) done()
    },
  }
  return () =>
    new Promise<void>((resolve) => {
      left = batch
      done = resolve
      for (let sent = 0; sent < batch; sent += 1) enterDoor(addon, place, '127.0.0.1:1234', head, false, client)
    })
}

/** A crossing's budget is 1.0 µs in and 1.5 µs out; 1 µs is the exchange's between them. */
export const doorBenches: readonly MicroBench[] = [
  { name: `door: ${batch} requests in and answers out`, mustMicros: 3.5 * batch, prepare: () => answered(2) },
  { name: `door: ${batch} requests in and answers of 16 KiB out`, mustMicros: null, prepare: () => answered(16_384) },
]
