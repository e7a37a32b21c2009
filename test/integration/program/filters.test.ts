/** The examples of filters in the chapter "Program it" of the README: real processes, configured by their files. */
import { createHmac } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Asked, ask, CountedService, closeServices } from '../../kit/counted-service.js'
import { checkExampleTypes } from '../../kit/example-types.js'
import { endPrograms, outputOf } from '../../kit/program.js'
import { startExample } from '../../kit/program-example.js'

let app: CountedService
let other: CountedService

beforeEach(async () => {
  ;[app, other] = [await CountedService.start('app'), await CountedService.start('other')]
})
afterEach(async () => {
  await endPrograms()
  await Promise.all([app.close(), other.close()])
})
afterAll(closeServices)

const endpoints = () => ({ 9000: app.port, 9001: other.port })

it('each example has the types that the package promises', async () => {
  const files = readdirSync('test/examples/program').filter((name) => name.endsWith('.js'))
  expect(files.length).toBeGreaterThan(4)
  await checkExampleTypes(...files.map((name) => `test/examples/program/${name}`), 'test/examples/sign.js')
})

describe('auth-cookie', () => {
  const secret = 'of both'
  const now = Math.floor(Date.now() / 1000)
  const sign = (what: string, by = secret) => `${what}.${createHmac('sha256', by).update(what).digest('hex')}`

  it('lets in a signed session and says whose it is, whatever the client says', async () => {
    const [weft, port] = await startExample('auth-cookie', { endpoints: endpoints(), env: { SESSION_SECRET: secret } })
    const headers = { cookie: `theme=dark; session=${sign(`ada.${now + 60}`)}; a=b`, 'x-user': 'root' }
    expect(await ask(port, 'shop', '/orders', { headers })).toMatchObject({ status: 200, body: 'app' })
    expect(app.last?.headers['x-user']).toBe('ada')
    weft.signal('SIGTERM')
    expect(await weft.end()).toBe(0)
  })

  it('sends browsers to the login and answers others 401 when a session is missing, expired, forged or broken', async () => {
    const [, port] = await startExample('auth-cookie', { endpoints: endpoints(), env: { SESSION_SECRET: secret } })
    const sessions = [
      ...['', 'x', 'a.b', '..', `ada.${now + 60}.`, `ada.${now + 60}.abc`, `ada.${now + 60}.${'0'.repeat(64)}`],
      ...[sign(`ada.${now - 1}`), sign('ada.never'), sign(`ada.${now + 60}`, 'another'), sign(`.${now + 60}`)],
      sign(`ada.${now + 60}`).replace('ada', 'eve'),
    ]
    for (const session of sessions) {
      const cookie = `session=${session}`
      expect(await ask(port, 'shop', '/orders', { headers: { cookie } })).toMatchObject({ status: 401 })
      const browser = await ask(port, 'shop', '/orders', { headers: { cookie, accept: 'text/html,*/*' } })
      expect([browser.status, browser.headers.location]).toEqual([302, '/login?to=%2Forders'])
    }
    expect(app.requests).toBe(0)
    expect(await ask(port, 'shop', '/login', { headers: { 'x-user': 'root' } })).toMatchObject({ body: 'other' })
    expect(other.last?.headers['x-user']).toBeUndefined()
  })

  it('lets nobody in who signs with an empty secret when none is set', async () => {
    const [, port] = await startExample('auth-cookie', { endpoints: endpoints(), env: { SESSION_SECRET: '' } })
    const cookie = `session=${sign(`ada.${now + 60}`, '')}`
    expect((await ask(port, 'shop', '/', { headers: { cookie } })).status).toBe(401)
  })
})

describe('tenant', () => {
  it('puts the first label of the host into the header of its options', async () => {
    const [, port] = await startExample('tenant', { endpoints: endpoints() })
    expect(await ask(port, 'acme.example.com')).toMatchObject({ status: 200 })
    expect(app.last?.headers['x-tenant']).toBe('acme')
  })
})

describe('redact', () => {
  /** What the service answers to the next requests. */
  const answers = (headers: Record<string, string>, body: string) => {
    app.answer = (_, response) => response.writeHead(200, headers).end(body)
  }
  const json = { 'content-type': 'application/json; charset=utf-8' }

  it('masks the fields wherever they stand, below /api, in JSON, and nothing else', async () => {
    const [, port] = await startExample('redact', { endpoints: endpoints(), workers: 2 })
    const body = JSON.stringify({ id: 1, email: 'ada@acme.example', accounts: [{ iban: 'DE1', note: 'grüße' }] })
    const masked = JSON.stringify({ id: 1, email: '***', accounts: [{ iban: '***', note: 'grüße' }] })
    answers({ ...json, etag: '"1"' }, body)
    const api = await ask(port, 'shop', '/api/users', { headers: { 'accept-encoding': 'gzip' } })
    expect(api).toMatchObject({ status: 200, body: masked })
    expect(api.headers).toMatchObject({ 'content-length': String(Buffer.byteLength(masked)), ...json })
    expect(api.headers.etag).toBeUndefined()
    expect(app.last?.headers['accept-encoding']).toBeUndefined()
    expect((await ask(port, 'shop', '/users')).body).toBe(body)
    answers({ 'content-type': 'text/plain' }, body)
    expect((await ask(port, 'shop', '/api/users')).body).toBe(body)
  })

  it('keeps in what it cannot read and what is too long, and serves on', async () => {
    const [weft, port] = await startExample('redact', { endpoints: endpoints() })
    answers(json, '{"email":"ada@acme.example"')
    const broken = await ask(port, 'shop', '/api/users')
    expect(broken.status).toBe(500)
    expect(broken.body).not.toContain('ada')
    answers(json, JSON.stringify({ email: 'a'.repeat(1_048_576) }))
    expect((await ask(port, 'shop', '/api/users')).status).toBe(500)
    answers(json, '{"email":"ada@acme.example"}')
    expect((await ask(port, 'shop', '/api/users')).body).toBe('{"email":"***"}')
    weft.signal('SIGTERM')
    expect(await weft.end()).toBe(0)
  })

  it('has a test of its own that needs no proxy', async () => {
    const told = await outputOf('node', ['--test', 'test/examples/program/redact.test.js'])
    expect(told).toMatch(/^# pass 2$/m)
  })
})

describe('ab-by-user', () => {
  const users = Array.from({ length: 1000 }, (_, number) => `user-${number}`)
  const variant = ({ status, body, headers }: Asked) => `${status} ${body} ${headers['x-variant']}`
  const of = (port: number, user: string) => ask(port, 'shop', '/', { headers: { 'x-user': user } }).then(variant)

  it('gives a tenth of the users the other cluster, each always the same one, in every worker', async () => {
    const [, port] = await startExample('ab-by-user', { endpoints: endpoints(), workers: 2 })
    const first = new Map<string, string>()
    for (const user of users) first.set(user, await of(port, user))
    const b = users.filter((user) => first.get(user) === '200 other b')
    expect(users.filter((user) => first.get(user) === '200 app a')).toHaveLength(1000 - b.length)
    // Of a thousand with a chance of a tenth: three deviations to each side.
    expect(b.length).toBeGreaterThan(70)
    expect(b.length).toBeLessThan(130)
    // Connections of their own, which the other worker may accept.
    const again = await Promise.all(users.slice(0, 200).map((user) => of(port, user)))
    expect(again).toEqual(users.slice(0, 200).map((user) => first.get(user)))
    expect(variant(await ask(port, 'shop'))).toBe('200 app a')
    expect(app.last?.headers['x-variant']).toBe('a')
  })
})
