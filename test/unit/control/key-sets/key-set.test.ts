import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { readKeySet } from '../../../../src/control/resources/key-set.js'

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const rsa = privateKey.export({ format: 'jwk' })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })
const read = (keys: object[], secrets = false) =>
  (JSON.parse(readKeySet(JSON.stringify({ keys }), { secrets })) as { keys: Record<string, unknown>[] }).keys

describe('readKeySet', () => {
  it('keeps what checks signatures and nothing private', () => {
    const kept = read([{ ...rsa, kid: 'one', alg: 'RS256', x5c: ['chain'] }, ec])
    expect(kept).toEqual([{ kty: 'RSA', kid: 'one', alg: 'RS256', n: rsa.n, e: rsa.e }, ec])
  })

  it.each([
    ['for encryption', { ...ec, use: 'enc' }],
    ['of another algorithm', { ...ec, alg: 'ECDH-ES' }],
    ['of an algorithm of another type', { ...ec, alg: 'RS256' }],
    ['on another curve', { ...ec, crv: 'secp256k1' }],
    ['off its curve', { ...ec, y: ec.x }],
    ['whose id is no text', { ...ec, kid: 7 }],
    ['that is too short', generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' })],
    ['without a type', { n: rsa.n, e: rsa.e }],
    ['that everybody knows', { kty: 'oct', k: 'c2VjcmV0' }],
  ])('leaves out a key %s', (_, key) => {
    expect(read([key, ec])).toEqual([ec])
    expect(() => read([key])).toThrow('no key that can check a signature')
  })

  it('takes shared secrets where they may be', () => {
    expect(read([{ kty: 'oct', k: 'c2VjcmV0' }], true)).toEqual([{ kty: 'oct', k: 'c2VjcmV0' }])
    expect(() => read([{ kty: 'oct', k: '!' }], true)).toThrow()
  })

  it.each([
    '',
    'null',
    '[]',
    '{}',
    '{"keys": {}}',
    '{"keys": ["a"]}',
    '{"keys": []}',
    `{"keys": "${'a'.repeat(300_000)}"}`,
  ])('refuses %.20s', (text) => {
    expect(() => readKeySet(text, { secrets: true })).toThrow()
  })
})
