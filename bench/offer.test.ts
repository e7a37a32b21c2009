import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { offer } from './offer.js'

test('who is refused, late or never answered is asked and not served', async () => {
  const server = createServer((request, response) => {
    const kind = request.headers['x-kind']
    if (kind === 'mute') return
    response.statusCode = kind === 'refused' ? 503 : 200
    setTimeout(() => response.end('x'.repeat(70_000)), kind === 'late' ? 3_000 : 0)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const turns = ['good', 'refused', 'good', 'late', 'mute']
  const counts = await offer({
    port: (server.address() as AddressInfo).port,
    rate: 50,
    connections: 40,
    turns,
    request: (kind) => ({ path: '/', lines: [`X-Kind: ${kind}`] }),
    patienceMs: 2_000,
    seconds: 1,
    settleSeconds: 0.2,
  })
  server.closeAllConnections()
  server.close()
  const of = (kind: string) => counts.get(kind) ?? { asked: 0, served: 0 }
  for (const kind of turns) expect(of(kind).asked).toBeGreaterThan(0)
  expect(of('good').served).toBe(of('good').asked)
  for (const kind of ['refused', 'late', 'mute']) expect(of(kind).served).toBe(0)
})
