/**
 * Filters that see bodies, named by their modules in a file: those whose failure does not matter, and those in the pool,
 * where they may wait.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { request } from '../../kit/h1-message.js'
import { closeUpstreams, type Received, Upstream } from '../../kit/http-upstream.js'
import { pattern, patternBlocks, patternHash, sha256 } from '../../kit/pattern.js'
import { removeScratch } from '../../kit/scratch.js'
import { startWeft, type Weft } from '../../kit/start-weft.js'
import { Wire } from '../../kit/wire.js'

const folder = join(import.meta.dirname, '../../kit/body-filters')
const filter = (name: string, more: object = {}) => ({ module: join(folder, `${name}.mjs`), ...more })
const threeMiB = 3 * 1024 * 1024
let upstream: Upstream
let weft: Weft

beforeAll(async () => {
  upstream = await Upstream.start()
  const door = (...filters: object[]) => ({ upstream: upstream.port, listener: { filters } })
  const pool = { runIn: 'pool', timeBudget: '20s' }
  weft = await startWeft(
    {
      passedOver: door(filter('fails-late', { onFailure: 'open' })),
      short: door(filter('shout', { onFailure: 'open', maxBodyBytes: '1KiB' })),
      invert: door(filter('invert', pool)),
      shout: door(filter('shout', pool)),
      hang: door(filter('hang', pool)),
      late: door(filter('hang', { ...pool, timeBudget: '50ms' })),
    },
    { workers: 1 },
  )
})

afterAll(async () => {
  await weft.stop()
  await closeUpstreams()
  removeScratch()
})

async function ask(door: string, path: string, body?: Readable | string) {
  const method = body === undefined ? 'GET' : 'POST'
  const asked = httpRequest({ host: '127.0.0.1', port: weft.port(door), method, path, agent: false })
  if (body instanceof Readable) body.pipe(asked)
  else asked.end(body)
  const [answered] = (await once(asked, 'response')) as [IncomingMessage]
  const parts: Buffer[] = []
  for await (const part of answered) parts.push(part)
  return { status: answered.statusCode, headers: answered.headers, data: Buffer.concat(parts) }
}

const upload = (bytes: number) => Readable.from(patternBlocks(bytes), { objectMode: false })

describe('a filter whose failure does not matter', () => {
  it('lets the rest of a stream pass unseen', async () => {
    const answered = await ask('passedOver', `/bytes/${threeMiB}`)
    expect(sha256(answered.data)).toBe(patternHash(threeMiB))
    const sent = await ask('passedOver', '/hash', upload(threeMiB))
    expect((JSON.parse(sent.data.toString()) as Received).sha256).toBe(patternHash(threeMiB))
    const line = await weft.logLine((each) => each.path === '/hash')
    expect(line.response_code_details).toContain('was_passed_over')
  })

  it('does not see an answer that is too long for it, which goes on as it came', async () => {
    for (const kind of ['bytes', 'chunked']) {
      const long = await ask('short', `/${kind}/100000`)
      expect(sha256(long.data)).toBe(patternHash(100_000))
      expect(long.headers['content-length']).toBe(kind === 'bytes' ? '100000' : undefined)
    }
    expect((await ask('short', '/status/200')).data.toString()).toBe('200\n!')
  })
})

describe('a filter in the pool', () => {
  it('changes bodies as they stream, both ways', async () => {
    const inverted = (data: Buffer) => Buffer.from(data.map((byte) => byte ^ 0xff))
    const answered = await ask('invert', `/chunked/${threeMiB}`)
    expect(sha256(answered.data)).toBe(sha256(inverted(pattern(threeMiB))))
    const sent = JSON.parse(inverted((await ask('invert', '/hash', upload(threeMiB))).data).toString()) as Received
    expect(sent.sha256).toBe(
      createHash('sha256')
        .update(inverted(pattern(threeMiB)))
        .digest('hex'),
    )
  })

  it('sees whole bodies, with headers that it sets', async () => {
    const sent = await ask('shout', '/hash', 'abc')
    expect(sent.headers['x-length']).toBe(`${sent.data.length - 1}`)
    expect(sent.data.toString()).toContain(`"sha256":"${sha256('abc!')}"`)
  })

  it('that never decides has failed when its time is over', async () => {
    const late = await ask('late', '/hash', 'abc')
    expect(late.status).toBe(500)
    expect(late.headers['proxy-status']).toContain('hang')
  })

  it('is no longer waited for when the client has gone', async () => {
    const active = async () => (await weft.metrics()).get('weft_requests_active')
    const client = await Wire.connect(weft.port('hang'))
    await client.send(request('POST /hash', [], 'abc'))
    await expect.poll(active).toBe(1)
    client.socket.resetAndDestroy()
    await expect.poll(active).toBe(0)
  })
})
