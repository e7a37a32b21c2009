import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { openSigner } from '../../../../src/control/ca/authority-files.js'
import { Ledger } from '../../../../src/control/ca/ledger.js'
import { WorkloadCertificates } from '../../../../src/control/ca/workload-certificates.js'
import { beganMs, makeRequest, startIssuer, type TestIssuer } from '../../../kit/issuer.js'
import { watchFlushes } from '../../../kit/power-cut.js'
import { removeScratch } from '../../../kit/scratch.js'

let running: TestIssuer
afterEach(async () => {
  await running.close()
  removeScratch()
})

const cart = { namespace: 'shop', account: 'cart' }
const wish = { by: 'test', lastsMs: null }
const hour = 3_600_000

/** A request made by openssl, with the names that the test wants in it. */
function opensslRequest(folder: string, names: string): string {
  const file = join(folder, 'asked.csr')
  const args = ['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=x']
  execFileSync('openssl', [...args, '-keyout', '/dev/null', '-addext', `subjectAltName=${names}`, '-out', file], {
    stdio: 'pipe',
  })
  return readFileSync(file, 'utf8')
}

/** A request that is whole, but for the key: somebody asks for a certificate of a key that is not theirs. */
function withKeyOf(request: string, other: string): string {
  const bytes = (pem: string) => Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64')
  const [mine, theirs] = [bytes(request), bytes(other)]
  // An uncompressed point of P-256 after the head of its bit string.
  const head = Buffer.from('03420004', 'hex')
  const [at, from] = [mine.indexOf(head), theirs.indexOf(head)]
  expect(Math.min(at, from)).toBeGreaterThan(0)
  theirs.copy(mine, at + 4, from + 4, from + 68)
  const lines = mine.toString('base64').match(/.{1,64}/g) ?? []
  return ['-----BEGIN CERTIFICATE REQUEST-----', ...lines, '-----END CERTIFICATE REQUEST-----', ''].join('\n')
}

describe('a certificate for a request', () => {
  it('says who was proved, lasts a day, begins before now for clocks that are late, and is in ledger and audit log', async () => {
    running = await startIssuer()
    const granted = await running.issuer.sign(cart, makeRequest().request, wish)
    const leaf = new X509Certificate(granted.certificate)
    const identity = 'spiffe://shop.example/ns/shop/sa/cart'
    expect(leaf.subjectAltName).toBe(`URI:${identity}`)
    expect([Date.parse(leaf.validFrom), Date.parse(leaf.validTo)]).toEqual([beganMs - 120_000, beganMs + 24 * hour])
    expect(leaf.ca).toBe(false)
    expect(running.ledger.ofIdentity(identity).map(({ serial }) => serial)).toEqual([leaf.serialNumber.toLowerCase()])
    const [line] = await running.audit.newest(1)
    expect(line).toMatchObject({ event: 'issued', who: 'test', what: identity, after: { serial: granted.serial } })
    // Shorter is granted, longer is not.
    const lasts = async (lastsMs: number) => {
      const { notAfterMs } = await running.issuer.sign(cart, makeRequest().request, { by: 'test', lastsMs })
      return notAfterMs - beganMs
    }
    expect([await lasts(hour), await lasts(90 * 24 * hour)]).toEqual([hour, 24 * hour])
  })

  it('is refused for names of others, whatever else the request asks for', async () => {
    running = await startIssuer()
    const sign = (names: string) => running.issuer.sign(cart, opensslRequest(running.folder, names), wish)
    for (const name of ['URI:spiffe://shop.example/ns/shop/sa/bank', 'DNS:bank.shop', 'IP:10.0.0.1']) {
      await expect(sign(`URI:spiffe://shop.example/ns/shop/sa/cart,${name}`)).rejects.toMatchObject({
        code: 'WEFT_CA_REQUEST',
        message: `the request asks for ${name}, and whoever asks is spiffe://shop.example/ns/shop/sa/cart`,
      })
    }
    const { certificate } = await sign('URI:spiffe://shop.example/ns/shop/sa/cart')
    expect(new X509Certificate(certificate).subjectAltName).toBe('URI:spiffe://shop.example/ns/shop/sa/cart')
    await expect(
      running.issuer.sign({ namespace: 'shop', account: '../bank' }, makeRequest().request, wish),
    ).rejects.toThrow('"../bank" cannot be a service account')
  }, 20_000)

  it('is refused for a request that was used before, also by somebody else and after a restart', async () => {
    running = await startIssuer()
    const { request } = makeRequest()
    const { serial } = await running.issuer.sign(cart, request, wish)
    const why = `the key of this request has a certificate already: ${serial} of spiffe://shop.example/ns/shop/sa/cart`
    await expect(running.issuer.sign(cart, request, wish)).rejects.toThrow(why)
    await expect(running.issuer.sign({ namespace: 'bank', account: 'vault' }, request, wish)).rejects.toThrow(why)
    await running.ledger.close()
    const file = join(running.folder, 'issued.log')
    writeFileSync(file, `${readFileSync(file, 'utf8')}{"serial":"cut`)
    const again = await Ledger.open({ file, nowMs: () => beganMs, warn: () => {} })
    expect(again.ofIdentity('spiffe://shop.example/ns/shop/sa/cart').map((one) => one.serial)).toEqual([serial])
    const later = await Ledger.open({ file, nowMs: () => beganMs + 25 * hour, warn: () => {} })
    expect(later.size).toBe(0)
    expect(readFileSync(file, 'utf8')).toBe('')
  })

  it('is on the disk before it is given, and is not given when it cannot be written down', async () => {
    running = await startIssuer()
    const { folder, issuer } = running
    const [ledger, audit] = [join(folder, 'issued.log'), join(folder, 'audit.log')]
    mkdirSync(ledger)
    await expect(issuer.sign(cart, makeRequest().request, wish)).rejects.toMatchObject({
      code: 'WEFT_CA_STATE',
      message: expect.stringContaining('cannot be written down, so it is not given'),
    })
    rmdirSync(ledger)
    const together = Array.from({ length: 20 }, async () => {
      const { serial } = await issuer.sign(cart, makeRequest().request, wish)
      return [ledger, audit].map((file) => readFileSync(file, 'utf8').includes(serial))
    })
    expect(new Set((await Promise.all(together)).flat())).toEqual(new Set([true]))
  })

  it('stands in ledger and audit log after a cut of power, once it was given', async () => {
    running = await startIssuer()
    const { folder, issuer } = running
    const power = await watchFlushes(folder)
    try {
      for (let n = 0; n < 3; n += 1) {
        const { serial } = await issuer.sign(cart, makeRequest().request, wish)
        const found = power.cut()
        for (const name of ['issued.log', 'audit.log']) {
          const file = join(found, name)
          expect([name, existsSync(file) && readFileSync(file, 'utf8').includes(serial)]).toEqual([name, true])
        }
      }
    } finally {
      power.end()
    }
  })

  it('is in a ledger whose file does not grow with what has ended', async () => {
    running = await startIssuer()
    const file = join(running.folder, 'long.log')
    const clock = { nowMs: beganMs }
    const ledger = await Ledger.open({ file, nowMs: () => clock.nowMs, warn: () => {} })
    for (let n = 0; n < 25_000; n += 1) {
      clock.nowMs += 1_000
      const issued = {
        serial: `${n}`,
        identity: `${n}`,
        keyId: `${n}`,
        authority: 'a',
        notAfterMs: clock.nowMs + 5_000,
      }
      void ledger.add(issued)
      if (n % 5_000 === 0) {
        ledger.prune()
        await ledger.close()
      }
    }
    ledger.prune()
    await ledger.close()
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
    expect(lines.length).toBeLessThan(15_000)
    expect((await Ledger.open({ file, nowMs: () => clock.nowMs, warn: () => {} })).size).toBe(5)
  }, 20_000)

  it('is refused when the request is forged or none at all', async () => {
    running = await startIssuer()
    const { request } = makeRequest()
    const lines = request.split('\n')
    const middle = Math.floor(lines.length / 2)
    const line = lines[middle] ?? ''
    lines[middle] = `${line.slice(0, 10)}${line[10] === 'A' ? 'B' : 'A'}${line.slice(11)}`
    for (const [bad, why] of [
      [lines.join('\n'), /the request/],
      [withKeyOf(request, makeRequest().request), /is not signed by the key that it is about/],
      ['', /no PEM text/],
      ['-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n', /no PKCS #10/],
      ['x'.repeat(100_000), /more than 16384 bytes/],
    ] as const) {
      await expect(running.issuer.sign(cart, bad, wish)).rejects.toMatchObject({
        code: 'WEFT_CA_REQUEST',
        message: expect.stringMatching(why),
      })
    }
    expect(running.ledger.size).toBe(0)
  })

  it('never outlives its authority, and is refused while the clock stands before it or behind it', async () => {
    running = await startIssuer()
    running.clock.nowMs = beganMs + 364 * 24 * hour + 20 * hour
    const { notAfterMs } = await running.issuer.sign(cart, makeRequest().request, wish)
    expect(notAfterMs).toBe(beganMs + 365 * 24 * hour)
    running.clock.nowMs = beganMs - 2 * hour
    await expect(running.issuer.sign(cart, makeRequest().request, wish)).rejects.toMatchObject({
      code: 'WEFT_CA_STATE',
      message: expect.stringContaining('begins at 2026-06-01T11:00:00.000Z, and it is 2026-06-01T10:00:00.000Z'),
      hint: 'look at the clock',
    })
    running.clock.nowMs = beganMs + 366 * 24 * hour
    await expect(running.issuer.sign(cart, makeRequest().request, wish)).rejects.toThrow('expired at')
  })

  it('is refused to an identity that was revoked until that is lifted', async () => {
    running = await startIssuer()
    const { revocations, issuer } = running
    const identity = 'spiffe://shop.example/ns/shop/sa/cart'
    const { serial } = await issuer.sign(cart, makeRequest().request, wish)
    await revocations.revokeIdentity(identity, 'stolen', 'alice')
    expect(revocations.isRevoked(serial)).toBe(true)
    await expect(issuer.sign(cart, makeRequest().request, wish)).rejects.toThrow(`${identity} was revoked by alice`)
    await revocations.lift(identity, 'alice')
    await issuer.sign(cart, makeRequest().request, wish)
    expect(revocations.isRevoked(serial)).toBe(true)
    const file = join(running.folder, 'list.crl')
    writeFileSync(file, revocations.lists())
    const printed = execFileSync('openssl', ['crl', '-in', file, '-noout', '-text']).toString()
    expect(printed).toContain(`Serial Number: ${serial.toUpperCase()}`)
    running.clock.nowMs += 25 * hour
    await revocations.prune()
    expect(revocations.lists()).toBe('')
  }, 20_000)
})

describe('certificates of data planes', () => {
  const hold = (random: number) => {
    const { issuer, trust, revocations, clock } = running
    const said: string[] = []
    const say = {
      warn: (text: string) => void said.push(`warn ${text}`),
      error: (text: string) => void said.push(`error ${text}`),
    }
    return {
      said,
      held: new WorkloadCertificates({
        issuer,
        trust,
        revocations,
        nowMs: () => clock.nowMs,
        random: () => random,
        say,
      }),
    }
  }

  it('are renewed at half of their life, sooner or later by a twentieth, for those who still ask', async () => {
    for (const [random, share] of [
      [0, 0.45],
      [1, 0.55],
    ] as const) {
      running = await startIssuer()
      const { held } = hold(random)
      let told = 0
      held.onChange(() => {
        told += 1
        held.identity(cart)
      })
      await held.prepare(cart)
      const first = held.identity(cart)
      running.clock.nowMs = beganMs + 24 * hour * share - 1_000
      await held.renewDue()
      expect(held.identity(cart)).toBe(first)
      running.clock.nowMs += 2_000
      await held.renewDue()
      expect([told, held.identity(cart) === first]).toEqual([1, false])
      held.close()
      await running.close()
    }
    running = await startIssuer()
    const { held } = hold(0.5)
    await held.prepare(cart)
    held.identity(cart)
    running.clock.nowMs += 13 * hour
    await held.renewDue()
    running.clock.nowMs += 13 * hour
    await held.renewDue()
    // Nobody was told, so nobody asked again: it has gone.
    expect(held.count()).toBe(0)
    held.close()
  }, 20_000)

  it('are on the disk before they are given, and not given while they cannot be written down', async () => {
    running = await startIssuer()
    const { held, said } = hold(0.5)
    const told = new Promise<void>((resolve) => held.onChange(resolve))
    const file = join(running.folder, 'issued.log')
    mkdirSync(file)
    await held.prepare(cart)
    expect([held.count(), said]).toEqual([0, [expect.stringContaining('cannot be written down, so it is not given')]])
    rmdirSync(file)
    // Whoever asks too early is told when there is one.
    expect(held.identity(cart)).toBeNull()
    await told
    const { chain = '' } = held.identity(cart) ?? {}
    const serial = new X509Certificate(chain).serialNumber.toLowerCase()
    for (const log of [file, join(running.folder, 'audit.log')]) expect(readFileSync(log, 'utf8')).toContain(serial)
    held.close()
  })

  it('stay while they cannot be renewed, which is said at three quarters and louder at nine tenths', async () => {
    running = await startIssuer()
    const { held, said } = hold(0.5)
    await held.prepare(cart)
    const first = held.identity(cart)
    const { trust } = running
    const [issuing] = trust.all()
    await trust.commit('test', 'gone', [{ id: issuing?.id ?? '', value: null, expect: issuing?.version ?? 0 }])
    for (const [share, words] of [
      [0.6, []],
      [0.8, ['warn the certificate of shop/cart cannot be renewed and ends at 2026-06-02T12:00:00.000Z']],
      [0.95, ['warn', 'error the certificate of shop/cart cannot be renewed']],
    ] as const) {
      running.clock.nowMs = beganMs + 24 * hour * share
      await held.renewDue()
      expect(held.identity(cart)).toBe(first)
      expect(said).toEqual(words.map((word) => expect.stringContaining(word)))
    }
    held.close()
  })
})

describe('an authority of somebody’s own', () => {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' })

  it('signs with RSA and without an intermediate as well', async () => {
    running = await startIssuer()
    const { folder } = running
    const [key, certificate] = [join(folder, 'own.key'), join(folder, 'own.pem')]
    openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      key,
      '-out',
      certificate,
      '-subj',
      '/CN=own',
      '-days',
      '2',
    )
    execFileSync('chmod', ['600', key])
    const own = await startIssuer({ startMs: Date.now() }, { certificate, key })
    const granted = await own.issuer.sign(cart, makeRequest().request, wish)
    expect(granted.chain).toBe(granted.certificate)
    const leaf = new X509Certificate(granted.certificate)
    expect(leaf.verify(new X509Certificate(readFileSync(certificate)).publicKey)).toBe(true)
    const [authority] = own.trust.all()
    expect(authority).toMatchObject({ own: false, chain: '' })
    if (authority !== undefined)
      openSigner({ folder: join(own.folder, 'ca'), passphrase: null, secret: null }, authority).close()
    await own.close()
  }, 20_000)
})
