/** The example of the whole pipeline, as it stands: its ports, its names, every route and cluster of it asked. */
import { join } from 'node:path'
import { request } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { closeUpstreams, type Received, Upstream } from '../kit/http-upstream.js'
import { endPrograms, Program } from '../kit/program.js'
import { entry } from '../kit/proxy-process.js'

const file = join(import.meta.dirname, '../examples/pipeline.yaml')
const outbound = 'http://127.0.0.1:15001'
const inbound = 'http://127.0.0.1:15006'
const admin = '127.0.0.1:15000'
let proxy: Program

beforeAll(async () => {
  for (const port of [9080, 9081, 9082, 9084, 9085]) await Upstream.start(`on ${port}`, port)
  proxy = new Program(process.execPath, [entry, 'run', '-c', file])
  await proxy.says(' ready in ')
})

afterAll(async () => {
  proxy.signal('SIGTERM')
  expect(await proxy.end()).toBe(0)
  await endPrograms()
  await closeUpstreams()
})

async function ask(url: string, headers: Record<string, string> = {}) {
  const { statusCode, headers: answered, body } = await request(url, { headers })
  return { status: statusCode, headers: answered, text: await body.text() }
}

const service = (name: string, more = {}) => ({ 'x-weft-service': name, ...more })

describe('outbound', () => {
  it('sends a tester to v2, whose name does not resolve here', async () => {
    const { status, headers, text } = await ask(`${outbound}/hash`, service('reviews', { 'end-user': 'tester' }))
    expect(status).toBe(503)
    expect(String(headers['proxy-status'])).toMatch(/dns/)
    expect(text).toContain('reviews-v2')
  })

  it('sends a user always to the same version, with the headers that the route adds and takes away', async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => ask(`${outbound}/hash`, service('reviews', { 'end-user': 'a', 'x-debug': '1' }))),
    )
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200))
    const { headers } = JSON.parse(answers[0]?.text ?? '') as Received
    expect(headers).toMatchObject({ host: 'reviews.internal', 'x-env': 'prod' })
    expect(headers).not.toHaveProperty('x-debug')
  })

  it('finds the ratings in their file', async () => {
    expect((await ask(`${outbound}/hash`, service('ratings'))).status).toBe(200)
  })

  it('redirects the old host', async () => {
    const { status, headers } = await ask(`${outbound}/a?b=c`, { host: 'old.example' })
    expect([status, headers.location]).toEqual([301, 'https://new.example/a?b=c'])
  })

  it('has no route for what nobody named', async () => {
    expect((await ask(`${outbound}/`, service('nobody'))).status).toBe(404)
  })
})

describe('inbound', () => {
  it('answers for its health itself', async () => {
    expect(await ask(`${inbound}/-/healthy`)).toMatchObject({ status: 200, text: 'ok' })
  })

  it('hands the rest to the application', async () => {
    expect((await ask(`${inbound}/hash`)).status).toBe(200)
  })

  it('lets a client in a hundred times a second, and others beside it', async () => {
    const flood = await Promise.all(Array.from({ length: 150 }, () => ask(`${inbound}/hash`, { 'x-client': 'busy' })))
    const refused = flood.filter(({ status }) => status === 429).length
    expect(refused).toBeGreaterThan(10)
    expect(refused).toBeLessThanOrEqual(50)
    expect((await ask(`${inbound}/hash`, { 'x-client': 'calm' })).status).toBe(200)
  })
})

it('says why, from the request id', async () => {
  await ask(`${outbound}/hash`, service('ratings', { 'x-request-id': 'the-one' }))
  const why = new Program(process.execPath, [entry, 'why', 'the-one', '--admin', admin])
  expect(await why.end()).toBe(0)
  expect(why.output).toContain('ratings')
})
