import { utimesSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import type { PeerCertificate } from 'node:tls'
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'
import { afterEach, describe, expect, it } from 'vitest'
import { type TokenRequest, Tokens } from '../../../../src/control/access/tokens.js'
import { Attestor } from '../../../../src/control/ca/attestation/attestor.js'
import { KubernetesTokens } from '../../../../src/control/ca/attestation/kubernetes.js'
import { attestProcess, executableOf, readPeer } from '../../../../src/control/ca/attestation/process.js'
import { openEmbeddedStore } from '../../../../src/control/store/embedded.js'
import { startIssuer, type TestIssuer } from '../../../kit/issuer.js'
import { removeScratch, scratchFolder } from '../../../kit/scratch.js'

const ends: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
  removeScratch()
})

const anybody = { namespace: null, account: null }
const nowMs = Date.parse('2026-06-01T12:00:00Z')

async function setUp(kubernetes: KubernetesTokens | null = null) {
  const running: TestIssuer = await startIssuer()
  ends.push(() => running.close())
  const store = await openEmbeddedStore({ folder: join(scratchFolder(), 'store'), nowMs: () => nowMs })
  ends.push(() => store.close())
  const tokens = new Tokens(store, () => nowMs)
  const denied: string[] = []
  const attestor = new Attestor({
    ...{ tokens, kubernetes, revocations: running.revocations, trustDomain: 'shop.example' },
    denied: (address, why) => void denied.push(`${address}: ${why}`),
  })
  const admin = { name: 'test', role: 'admin' as const, namespaces: ['*'], service: null }
  const token = async (more: Partial<TokenRequest>) => {
    const request = { name: 't', role: 'workload' as const, namespaces: ['shop'], service: null, expiresAtMs: null }
    return `Bearer ${(await tokens.create({ ...request, ...more }, admin)).text}`
  }
  let address = 0
  const attest = (proof: { authorization?: string; certificate?: object }, wanted: object = {}) => {
    address += 1
    const shown = {
      authorization: proof.authorization ?? null,
      certificate: (proof.certificate as PeerCertificate) ?? null,
    }
    return attestor.attest(shown, { ...anybody, ...wanted }, `10.0.0.${address}`)
  }
  return { running, attestor, attest, token, denied }
}

const certificate = (serialNumber: string, ...names: string[]) => ({ serialNumber, subjectaltname: names.join(', ') })

describe('whoever asks for a certificate', () => {
  it('is who its token says, and nobody with a token that is unknown, expired or for something else', async () => {
    const { attest, token, denied } = await setUp()
    const carts = await token({ service: 'cart' })
    expect(await attest({ authorization: carts })).toMatchObject({ namespace: 'shop', account: 'cart' })
    const any = await token({})
    expect(await attest({ authorization: any }, { account: 'bank' })).toMatchObject({
      namespace: 'shop',
      account: 'bank',
    })
    for (const [authorization, wanted, why] of [
      [carts, { account: 'bank' }, 'may only be cart, not bank'],
      [carts, { namespace: 'bank' }, 'may not be a workload of bank'],
      [any, {}, 'is for any account: say which'],
      [await token({ role: 'viewer' }), { account: 'cart' }, 'its role is viewer'],
      [await token({ expiresAtMs: nowMs - 1, service: 'cart' }), {}, 'the token expired at'],
      ['Bearer weft_00000000_x', {}, 'the token is not known here'],
    ] as const) {
      await expect(attest({ authorization }, wanted)).rejects.toMatchObject({
        code: 'WEFT_CA_PROOF',
        message: expect.stringContaining(why),
      })
    }
    await expect(attest({})).rejects.toThrow('neither a token nor a certificate')
    expect(denied).toHaveLength(7)
  })

  it('is who its certificate says, unless that was revoked, and a wrong token is not made up for by it', async () => {
    const { attest, running } = await setUp()
    const good = certificate('0A', 'URI:spiffe://shop.example/ns/shop/sa/cart')
    expect(await attest({ certificate: good })).toMatchObject({
      namespace: 'shop',
      account: 'cart',
      by: 'certificate:0a',
    })
    for (const [shown, wanted, why] of [
      [good, { account: 'bank' }, 'is shop/cart and not shop/bank'],
      [certificate('0B', 'URI:spiffe://other.example/ns/shop/sa/cart'), {}, 'is no workload of shop.example'],
      [certificate('0C', 'DNS:cart.shop'), {}, 'says no SPIFFE ID'],
      [certificate('0D', 'URI:spiffe://shop.example/cart'), {}, 'is no workload of shop.example'],
    ] as const) {
      await expect(attest({ certificate: shown }, wanted)).rejects.toThrow(why)
    }
    await expect(attest({ certificate: good, authorization: 'Bearer forged' })).rejects.toThrow('not known here')
    await running.revocations.revokeSerial('0a', 'lost', 'alice')
    await expect(attest({ certificate: good })).rejects.toThrow('the certificate 0a was revoked')
  })

  it('is slowed down when it guesses', async () => {
    const { attestor } = await setUp()
    const guess = () => attestor.attest({ authorization: 'Bearer guess', certificate: null }, anybody, '10.9.9.9')
    const codes = []
    for (let n = 0; n < 40; n += 1) codes.push(await guess().catch((error: { code: string }) => error.code))
    expect(new Set(codes)).toEqual(new Set(['WEFT_CA_PROOF', 'WEFT_ACCESS_RATE']))
  })
})

describe('a service-account token of Kubernetes', () => {
  it('is taken when a key of the cluster has signed it for us, and refused otherwise', async () => {
    const [own, other] = [await generateKeyPair('ES256'), await generateKeyPair('ES256')]
    const file = join(scratchFolder(), 'jwks.json')
    const publish = async (key: typeof own, kid: string) => {
      writeFileSync(file, JSON.stringify({ keys: [{ ...(await exportJWK(key.publicKey)), kid, alg: 'ES256' }] }))
    }
    await publish(own, 'one')
    const kubernetes = new KubernetesTokens({
      ...{ keys: file, issuer: 'https://cluster.example', audience: 'weft', clockSkewMs: 120_000, nowMs: () => nowMs },
    })
    const { attest } = await setUp(kubernetes)
    const made = (more: { sub?: string; aud?: string; iss?: string; exp?: number } = {}, key = own, kid = 'one') =>
      new SignJWT({ sub: 'system:serviceaccount:shop:cart', aud: 'weft', iss: 'https://cluster.example', ...more })
        .setProtectedHeader({ alg: 'ES256', kid })
        .setExpirationTime(more.exp ?? nowMs / 1_000 + 600)
        .sign(key.privateKey)
    const ask = (token: string, wanted = {}) => attest({ authorization: `Bearer ${token}` }, wanted)
    expect(await ask(await made())).toMatchObject({ namespace: 'shop', account: 'cart' })
    // A clock that is a minute late is no reason.
    expect(await ask(await made({ exp: nowMs / 1_000 - 60 }))).toMatchObject({ account: 'cart' })
    const unsigned = new UnsecuredJWT({ sub: 'system:serviceaccount:shop:cart' })
      .setIssuer('https://cluster.example')
      .setAudience('weft')
      .setExpirationTime(nowMs / 1_000 + 600)
      .encode()
    for (const [token, why] of [
      [await made({ exp: nowMs / 1_000 - 600 }), '"exp" claim timestamp check failed'],
      [await made({ aud: 'kubernetes' }), 'unexpected "aud" claim value'],
      [await made({ iss: 'https://evil.example' }), 'unexpected "iss" claim value'],
      [await made({}, other), 'signature verification failed'],
      [await made({}, own, 'unknown'), 'no applicable key found'],
      [await made({ sub: 'somebody' }), '"somebody" is no service account'],
      [`${unsigned}x`, 'service-account token is not taken'],
    ] as const) {
      await expect(ask(token)).rejects.toMatchObject({ code: 'WEFT_CA_PROOF', message: expect.stringContaining(why) })
    }
    await expect(ask(await made(), { account: 'bank' })).rejects.toThrow('is shop/cart and not shop/bank')
    // The cluster's keys change: the file is read again, and a broken one leaves the last good.
    await publish(other, 'one')
    utimesSync(file, 1, 1)
    expect(await ask(await made({}, other))).toMatchObject({ account: 'cart' })
    writeFileSync(file, 'broken')
    expect(await ask(await made({}, other))).toMatchObject({ account: 'cart' })
    expect(
      () => new KubernetesTokens({ ...{ keys: file, issuer: 'x', audience: 'x', clockSkewMs: 0, nowMs: () => nowMs } }),
    ).toThrow('holds no keys of a cluster')
  })
})

describe('a process of this machine', () => {
  const rule = (uid: number, account: string, executable: string | null = null) => ({
    uid,
    executable,
    namespace: 'shop',
    account,
  })

  it('is who its user is, and its executable where that was asked for', () => {
    const rules = [rule(1, 'cart'), rule(2, 'bank', '/usr/bin/bank'), rule(3, 'one'), rule(3, 'two')]
    const attest = (uid: number, executable: string | null, wanted = {}) =>
      attestProcess(rules, { uid, gid: 0, pid: 7 }, executable, { ...anybody, ...wanted })
    expect(attest(1, null)).toEqual({ namespace: 'shop', account: 'cart', by: 'process:7(uid 1)' })
    expect(attest(2, '/usr/bin/bank').account).toBe('bank')
    expect(() => attest(2, '/usr/bin/cat')).toThrow('is no workload of this machine')
    expect(() => attest(2, null)).toThrow('is no workload of this machine')
    expect(() => attest(9, null)).toThrow('is no workload of this machine')
    expect(() => attest(3, null)).toThrow('may be 2 workloads: say which')
    expect(attest(3, null, { account: 'two' }).account).toBe('two')
    expect(() => attest(1, null, { account: 'bank' })).toThrow('is shop/cart and not shop/bank')
  })

  it('is known by what the kernel says of the other end of a socket', async () => {
    const path = join(scratchFolder(), 'socket')
    const server = createServer()
    ends.push(() => new Promise((resolve) => server.close(resolve)))
    const peer = new Promise((resolve) =>
      server.once('connection', (socket) => {
        const found = readPeer(socket)
        resolve({ ...found, executable: executableOf(found) })
        socket.destroy()
      }),
    )
    await new Promise<void>((resolve) => server.listen(path, resolve))
    connect(path).on('error', () => {})
    expect(await peer).toEqual({
      uid: process.getuid?.(),
      gid: process.getgid?.(),
      pid: process.pid,
      executable: process.execPath,
    })
  })
})
