import { join } from 'node:path'
import type { PeerCertificate } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { type TokenRequest, Tokens } from '../../../src/control/access/tokens.js'
import { refuseDataPlane } from '../../../src/control/data-planes/admission.js'
import { openEmbeddedStore } from '../../../src/control/store/embedded.js'
import type { Store } from '../../../src/control/store/store.js'
import { removeScratch, scratchFolder } from '../../kit/scratch.js'

let store: Store
afterEach(async () => {
  await store.close()
  removeScratch()
})

const applicant = { namespace: 'shop', service: 'cart', account: '' }
const nothing = { certificate: null, authorization: null }
const certificate = (...names: string[]) => ({ subjectaltname: names.join(', ') }) as PeerCertificate

async function setUp() {
  store = await openEmbeddedStore({ folder: join(scratchFolder(), 'store'), nowMs: Date.now })
  const tokens = new Tokens(store, Date.now)
  const admin = { name: 'test', role: 'admin' as const, namespaces: ['*'], service: null }
  const token = async (more: Partial<TokenRequest>) => {
    const request = { name: 't', role: 'workload' as const, namespaces: ['shop'], service: null, expiresAtMs: null }
    return `Bearer ${(await tokens.create({ ...request, ...more }, admin)).text}`
  }
  return { options: { tokens, trustDomain: 'shop.example', open: false }, token }
}

describe('a data plane', () => {
  it('is believed without proof only where that is open', async () => {
    const { options } = await setUp()
    expect(refuseDataPlane(options, applicant, nothing)).toContain('must prove who it is')
    expect(refuseDataPlane({ ...options, open: true }, applicant, nothing)).toBeNull()
  })

  it('is who its certificate says, by the service account or by the service where none is given', async () => {
    const { options } = await setUp()
    const by = (name: string, account = '') =>
      refuseDataPlane(
        options,
        { ...applicant, account },
        { ...nothing, certificate: certificate('DNS:x', `URI:${name}`) },
      )
    expect(by('spiffe://shop.example/ns/shop/sa/cart')).toBeNull()
    expect(by('spiffe://shop.example/ns/shop/sa/other', 'other')).toBeNull()
    for (const name of [
      'spiffe://shop.example/ns/shop/sa/other',
      'spiffe://shop.example/ns/bank/sa/cart',
      'spiffe://evil.example/ns/shop/sa/cart',
      'spiffe://shop.example/ns/shop/sa/cart2',
    ]) {
      expect(by(name)).toBe('its certificate is not of spiffe://shop.example/ns/shop/sa/cart')
    }
  })

  it('is nobody with a certificate that was taken back, whatever its name', async () => {
    const { options } = await setUp()
    const shown = { ...certificate('URI:spiffe://shop.example/ns/shop/sa/cart'), serialNumber: '0A' }
    const by = (isRevoked: (serial: string) => boolean) =>
      refuseDataPlane({ ...options, isRevoked }, applicant, { ...nothing, certificate: shown })
    expect(by((serial) => serial === '0b')).toBeNull()
    expect(by((serial) => serial === '0a')).toBe('its certificate 0a was revoked')
  })

  it('is who its token says, and a wrong token is not made up for by a certificate or by an open door', async () => {
    const { options, token } = await setUp()
    const by = (authorization: string) => {
      const good = certificate('URI:spiffe://shop.example/ns/shop/sa/cart')
      return refuseDataPlane({ ...options, open: true }, applicant, { certificate: good, authorization })
    }
    expect(by(await token({}))).toBeNull()
    expect(by(await token({ service: 'cart' }))).toBeNull()
    const withAccount = { ...applicant, account: 'bank' }
    const bound = await token({ service: 'cart' })
    expect(refuseDataPlane(options, withAccount, { certificate: null, authorization: bound })).toContain(
      'the account bank',
    )
    expect(by(await token({ service: 'other' }))).toContain('may only be a data plane of other')
    expect(by(await token({ namespaces: ['bank'] }))).toContain('may not be a data plane of shop')
    expect(by(await token({ expiresAtMs: 1 }))).toContain('expired')
    expect(by('Bearer wrong')).toBe('the token is not known here')
  })
})
