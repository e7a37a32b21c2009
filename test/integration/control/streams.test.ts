/** Streams of the API that must not go on: their token has ended, or their reader does not read. */
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { httpRoute, startTestControl, type TestControl } from '../../kit/control.js'
import { removeScratch } from '../../kit/scratch.js'
import { put, write } from '../../kit/store-writes.js'

let running: TestControl
afterEach(async () => {
  await running.close()
  removeScratch()
})

describe('a watch', () => {
  it.each([
    ['is revoked', async (id: string) => void (await running.admin.ask('DELETE', `/v1/tokens/${id}`))],
    [
      'expires',
      async () => {
        aheadMs = 3_600_001
      },
    ],
  ])('tells nothing more when its token %s', async (_, end) => {
    aheadMs = 0
    running = await startTestControl({}, { nowMs: () => Date.now() + aheadMs })
    const { admin } = running
    const body = { name: 'v', role: 'viewer', expiresIn: '1h' }
    const { text, token } = await admin.ask<{ text: string; token: { id: string } }>('POST', '/v1/tokens', body)
    const seen: string[] = []
    const watching = async () => {
      for await (const { type } of running.as(text).lines<{ type: string }>('/v1/watch')) {
        seen.push(type)
        if (type === 'synced') await admin.ask('POST', '/v1/apply', { resources: [httpRoute('a')] })
        if (type !== 'added') continue
        await end(token.id)
        await admin.ask('POST', '/v1/apply', { resources: [httpRoute('b')] })
      }
    }
    await expect(watching()).rejects.toMatchObject({ code: 'WEFT_CLIENT_UNREACHABLE' })
    expect(seen).toEqual(['synced', 'added'])
  })

  it('whose reader does not read is cut before it fills the memory, and holds up nobody', async () => {
    running = await startTestControl()
    const { control, adminToken, admin } = running
    const headers = { authorization: `Bearer ${adminToken}` }
    const [response] = (await once(get(`${control.url}/v1/watch`, { headers }), 'response')) as [IncomingMessage]
    response.pause()
    response.on('error', () => {})
    // What a stream may hold is 64 MiB; what the kernel holds for the reader comes beside it.
    const [size, times] = [12 * 1024 * 1024, 9]
    const pad = 'x'.repeat(size)
    for (let n = 0; n < times; n += 1) await write(control.store, 'test', put('large', { n, pad }))
    let bytes = 0
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length
    })
    const closed = new Promise((resolve) => response.once('close', resolve))
    response.resume()
    await closed
    expect(bytes).toBeLessThan((times - 1) * size)
    expect(await admin.get('/ready')).toMatchObject({ ready: true })
  }, 120_000)
})

let aheadMs = 0
