import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { type FollowedMesh, followKeys } from '../../../src/control/key-sets/follow-keys.js'
import { ask, CountedService } from '../../kit/counted-service.js'
import { listening } from '../../kit/envoy.js'
import { scratchFolder } from '../../kit/scratch.js'
import { type SteeredMesh, steerMesh } from '../../kit/steered-mesh.js'
import { KeyServer, TokenIssuer } from '../../kit/token-issuer.js'

let steered: SteeredMesh
const open: { close(): unknown }[] = []
afterEach(async () => {
  await steered.close()
  for (const one of open.splice(0)) await one.close()
})

const authentication = (rule: object) =>
  JSON.stringify({
    apiVersion: 'security.istio.io/v1',
    kind: 'RequestAuthentication',
    metadata: { name: 'tokens' },
    spec: { jwtRules: [rule] },
  })

/** An application behind an Envoy whose control plane fetches keys, again after so many milliseconds. */
async function guarded({ refreshMs = 100, file }: { refreshMs?: number; file?: string } = {}) {
  const app = await CountedService.start('app')
  const said: string[] = []
  let followed: FollowedMesh | null = null
  steered = await steerMesh(
    { service: 'reviews', app: `127.0.0.1:${app.port}` },
    {
      follow(mesh) {
        followed = followKeys(mesh, { refreshMs, say: (text) => said.push(text), ...(file !== undefined && { file }) })
        open.push(followed)
        return followed
      },
    },
  )
  const { inbound } = steered.envoy
  await listening(inbound)
  const call = async (token: string | null, keepAlive = false) => {
    const bearer: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` }
    const headers: Record<string, string> = keepAlive ? bearer : { ...bearer, connection: 'close' }
    return (await ask(inbound, 'reviews', '/', { headers })).status
  }
  const until = async (status: number, token: string | null) => {
    const signal = AbortSignal.timeout(10_000)
    while ((await call(token)) !== status) signal.throwIfAborted()
  }
  return { app, call, until, said }
}

async function serve(issuer: TokenIssuer): Promise<KeyServer> {
  const server = await KeyServer.start(issuer.keySet)
  open.push(server)
  return server
}

/** Requests on connections old and new until it is stopped, a hundred at least; how often each answer came. */
function traffic(call: (keepAlive: boolean) => Promise<number>) {
  const counts: Record<string, number> = {}
  let [total, stopped] = [0, false]
  const run = async (keepAlive: boolean) => {
    while (!stopped || total < 100) {
      total += 1
      const answer = await call(keepAlive).catch((error: Error) => error.message)
      counts[answer] = (counts[answer] ?? 0) + 1
    }
  }
  const done = Promise.all([run(true), run(false)])
  return {
    async stop() {
      stopped = true
      await done
      return counts
    },
  }
}

describe('keys by jwksUri', () => {
  it('are there when the rule is in force, follow a rotation, and the last good ones outlive the issuer', async () => {
    const { call, until, said } = await guarded()
    const issuer = await TokenIssuer.create('https://issuer.example', 'RS256')
    const keys = await serve(issuer)
    await steered.apply(authentication({ issuer: issuer.url, jwksUri: keys.url }))
    await until(401, 'no token')
    const old = await issuer.token()
    expect([await call(old), await call(null)]).toEqual([200, 200])

    await issuer.rotate()
    const renewed = await issuer.token()
    expect(await call(renewed)).toBe(401)
    const others = traffic((keepAlive) => call(null, keepAlive))
    keys.answer = { status: 200, body: issuer.keySet }
    await until(200, renewed)
    await until(401, old)
    // The listener was renewed under them.
    const counts = await others.stop()
    expect(Object.keys(counts)).toEqual(['200'])
    expect(counts['200']).toBeGreaterThanOrEqual(100)

    const asked = keys.requests
    for (const answer of [
      { status: 503, body: '' },
      { status: 200, body: '{"keys": []}' },
      { status: 302, body: '' },
    ]) {
      keys.answer = answer
      const signal = AbortSignal.timeout(10_000)
      const [count] = [said.length]
      while (said.length === count) await new Promise((resolve) => setImmediate(resolve, signal.throwIfAborted()))
      expect(await call(renewed)).toBe(200)
      expect(await call(old)).toBe(401)
    }
    expect(keys.requests).toBeGreaterThan(asked)
    expect(said).toEqual([
      `no keys from ${keys.url}: it answers 503`,
      `no keys from ${keys.url}: the key set has no key that can check a signature`,
      `no keys from ${keys.url}: it answers 302`,
    ])
  })

  it('that cannot be had open no door: tokens are refused, the verdict says why, and later they are taken', async () => {
    const { app, until, call } = await guarded()
    const issuer = await TokenIssuer.create('https://issuer.example')
    const keys = await serve(issuer)
    keys.answer = { status: 500, body: issuer.keySet }
    steered.mesh.apply(authentication({ issuer: issuer.url, jwksUri: keys.url }))
    const [verdict] = await steered.control.settled(steered.mesh.current().revision, 10_000)
    expect(verdict).toMatchObject({
      state: 'refused',
      issues: [{ code: 'WEFT_MESH_REFERENCE', origin: { path: 'spec.jwtRules[0]' } }],
    })
    expect(verdict?.issues[0]?.message).toBe(
      `the keys of https://issuer.example cannot be had from ${keys.url} (it answers 500): its tokens are refused until they can be`,
    )
    const token = await issuer.token()
    await until(401, token)
    const { requests } = app
    expect([await call(token), await call(null)]).toEqual([401, 200])
    expect(app.requests).toBe(requests + 1)
    keys.answer = { status: 200, body: issuer.keySet }
    await until(200, token)
    await steered.inForce()
  })

  it('are found by discovery, and kept from one start of the control plane to the next', async () => {
    const file = join(scratchFolder(), 'key-sets.json')
    const { until } = await guarded({ file })
    const issuer = await TokenIssuer.create('https://issuer.example')
    const keys = await serve(issuer)
    const document = await KeyServer.start('')
    open.push(document)
    const base = document.url.replace('/keys', '')
    const discovered = await TokenIssuer.create(base)
    keys.answer.body = discovered.keySet
    document.answer.body = JSON.stringify({ issuer: base, jwks_uri: keys.url })
    await steered.apply(authentication({ issuer: base }))
    await until(401, 'no token')
    await until(200, await discovered.token())
    const signal = AbortSignal.timeout(10_000)
    while (keys.requests < 3) await new Promise((resolve) => setImmediate(resolve, signal.throwIfAborted()))
    expect(Object.keys(JSON.parse(readFileSync(file, 'utf8')))).toEqual([`${base}/.well-known/openid-configuration`])

    await document.close()
    open.splice(open.indexOf(document), 1)
    const again = followKeys(steered.mesh, { refreshMs: 100, say: () => {}, file })
    open.push(again)
    const { keySets } = again.current()
    expect(keySets?.get(`${base}/.well-known/openid-configuration`)?.keys).toContain('"kid"')
  })
})
