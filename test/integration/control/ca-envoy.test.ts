/** Real Envoys with certificates of the mesh's own authority: mutual TLS, a root that gives way, a certificate taken back. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { AuthorityStatus } from '../../../src/control/ca/status.js'
import { ask, CountedService, closeServices, tally } from '../../kit/counted-service.js'
import { type Envoy, listening, startEnvoy } from '../../kit/envoy.js'
import { type IssuingControl, issue, shake, startIssuingControl } from '../../kit/issuing-control.js'
import { endPrograms, outputOf } from '../../kit/program.js'
import { scratchFolder } from '../../kit/scratch.js'

let control: IssuingControl | null = null
afterEach(async () => {
  await endPrograms()
  await control?.close()
  control = null
  await closeServices()
})

/** Each request to reviews is a connection of its own, so a handshake. */
const strict = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default }
spec: { mtls: { mode: STRICT } }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec:
  host: reviews
  trafficPolicy: { connectionPool: { http: { maxRequestsPerConnection: 1 } }, tls: { mode: ISTIO_MUTUAL } }
`

async function mesh(authority: Parameters<typeof startIssuingControl>[0]) {
  const running = await startIssuingControl(authority)
  control = running
  const app = await CountedService.start('reviews')
  const plane = { service: 'reviews', node: 'reviews-1', app: `127.0.0.1:${app.port}` }
  const server = await startEnvoy(running.xdsPort, plane)
  const client = await startEnvoy(running.xdsPort, { node: 'productpage-1' })
  const body = { service: 'reviews', port: server.inbound, address: '127.0.0.1', serviceAccount: 'reviews' }
  await running.admin.ask('POST', '/v1/workloads', body)
  await running.apply(strict)
  await listening(client.outbound)
  await listening(server.inbound)
  return { running, app, server, client }
}

/** What Envoy counts of handshakes that failed. */
async function failures({ admin }: Envoy): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${admin}/stats?filter=ssl.(connection_error|fail_verify)&format=json`)
  const { stats } = (await answer.json()) as { stats: { value?: number }[] }
  return stats.reduce((sum, { value = 0 }) => sum + value, 0)
}

describe('Envoys with certificates of the authority', () => {
  it('speak mutual TLS in their SPIFFE IDs, in chains that openssl finds good', async () => {
    const { running, app, server, client } = await mesh({})
    expect(await tally(10, () => ask(client.outbound, 'reviews'))).toEqual({ reviews: 10 })
    const caller = 'URI=spiffe://shop.example/ns/default/sa/productpage'
    expect(app.last?.headers['x-forwarded-client-cert']).toContain(caller)
    await expect(ask(server.inbound, 'reviews')).rejects.toThrow()

    const tester = await issue(running.admin, 'tester')
    const file = (name: string, text: string) => {
      const path = join(folder, name)
      writeFileSync(path, text)
      return path
    }
    const folder = scratchFolder()
    const [cert, key, roots] = [file('cert', tester.chain), file('key', tester.key), file('roots', tester.roots)]
    const shown = await outputOf('openssl', [
      ...['s_client', '-connect', `127.0.0.1:${server.inbound}`, '-cert', cert, '-key', key, '-cert_chain', cert],
      ...['-CAfile', roots, '-verify_return_error'],
    ]).catch((error: Error) => error.message)
    expect(shown).toContain('Verify return code: 0 (ok)')
    expect(await outputOf('openssl', ['verify', '-x509_strict', '-CAfile', roots, '-untrusted', cert, cert])).toContain(
      'OK',
    )
    const printed = await outputOf('openssl', ['x509', '-in', cert, '-noout', '-text'])
    expect(printed).toContain('URI:spiffe://shop.example/ns/default/sa/tester')
    expect(await outputOf('openssl', ['x509', '-in', cert, '-noout', '-checkend', String(23 * 3_600)])).toContain('not')
    await expect(
      outputOf('openssl', ['x509', '-in', cert, '-noout', '-checkend', String(25 * 3_600)]),
    ).rejects.toThrow()
    expect(await failures(client)).toBe(0)
  })

  it('lose no handshake while a root gives way to another, and trust the new one alone in the end', async () => {
    const { running, server, client } = await mesh({ leaf: '8s', settle: '300ms', clockSkew: '1s' })
    const before = await issue(running.admin, 'tester')
    const counts: Record<string, number> = {}
    let over = false
    const traffic = (async () => {
      while (!over) {
        const { status } = await ask(client.outbound, 'reviews')
        counts[status] = (counts[status] ?? 0) + 1
      }
    })()
    const { trust } = running.authority
    const old = trust.inState('issuing')?.id
    const replaced = new Promise<void>((resolve) => {
      trust.onChange(() => {
        if (trust.all().length === 1 && trust.inState('issuing')?.id !== old) resolve()
      })
    })
    await running.admin.ask('POST', '/v1/ca/rotate', {})
    await expect(running.admin.ask('POST', '/v1/ca/rotate', {})).rejects.toThrow('a rotation is under way')
    await replaced
    await running.rootsTaken()
    const after = await issue(running.admin, 'tester')
    expect(await shake(server.inbound, after)).toBe('welcome')
    // What the old root has signed is good nowhere, whatever its time.
    expect(after.roots).not.toContain(before.roots)
    expect(await shake(server.inbound, { ...before, roots: after.roots })).not.toBe('welcome')
    over = true
    await traffic
    expect(counts).toEqual({ 200: expect.any(Number) })
    expect(counts[200]).toBeGreaterThan(100)
    expect(await failures(client)).toBe(0)
  }, 60_000)

  it('are waited for by a rotation, each until it has taken the new root', async () => {
    const { running, server } = await mesh({ settle: '100ms' })
    const { trust } = running.authority
    const old = trust.inState('issuing')?.id
    const rotation = async () => (await running.admin.ask<AuthorityStatus>('GET', '/v1/ca')).rotation
    server.program.signal('SIGSTOP')
    try {
      await running.admin.ask('POST', '/v1/ca/rotate', {})
      // The other one takes it, and nobody goes on without the one that is held.
      const waits = { step: 'wait', why: 'the new root is not taken yet by reviews-1' }
      await expect.poll(rotation).toEqual(waits)
      expect(trust.inState('issuing')?.id).toBe(old)
    } finally {
      server.program.signal('SIGCONT')
    }
    await expect.poll(() => trust.inState('retiring')?.id).toBe(old)
  }, 40_000)

  it('refuse a certificate that was taken back within a second, and no other', async () => {
    const { running, server, client } = await mesh({})
    const [bad, good] = [await issue(running.admin, 'tester'), await issue(running.admin, 'tester')]
    expect([await shake(server.inbound, bad), await shake(server.inbound, good)]).toEqual(['welcome', 'welcome'])
    // A handshake that is shortened shows no certificate.
    const kept = { session: undefined, reused: false }
    for (let time = 0; time < 2; time += 1) expect(await shake(server.inbound, bad, kept)).toBe('welcome')
    expect(kept.reused).toBe(true)
    const began = performance.now()
    await running.admin.ask('POST', '/v1/ca/revocations', { serial: bad.serial, reason: 'lost' })
    const signal = AbortSignal.timeout(10_000)
    while ((await shake(server.inbound, bad)) === 'welcome') signal.throwIfAborted()
    expect(performance.now() - began).toBeLessThan(1_000)
    expect(await shake(server.inbound, bad, kept)).not.toBe('welcome')
    expect(await shake(server.inbound, good)).toBe('welcome')
    expect(await tally(5, () => ask(client.outbound, 'reviews'))).toEqual({ reviews: 5 })

    const identity = 'spiffe://shop.example/ns/default/sa/productpage'
    await running.admin.ask('POST', '/v1/ca/revocations', { identity })
    const counted = async () => (await ask(client.outbound, 'reviews')).status
    while ((await counted()) === 200) signal.throwIfAborted()
    expect(running.log.join('\n')).toContain(`no certificate for default/productpage: ${identity} was revoked`)
    await running.admin.ask('POST', '/v1/ca/revocations', { identity, lift: true })
    while ((await counted()) !== 200) signal.throwIfAborted()
  }, 40_000)
})
