import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import {
  makeAuthority,
  openSigner,
  renewIntermediate,
  takeAuthority,
} from '../../../../src/control/ca/authority-files.js'
import { describeLink, readChain } from '../../../../src/control/ca/chain.js'
import { initAuthority } from '../../../../src/control/ca/init-authority.js'
import { beganMs } from '../../../kit/issuer.js'
import { removeScratch, scratchFolder } from '../../../kit/scratch.js'

afterEach(removeScratch)

const nothing = { certificate: null, key: null, passphraseFile: null }
const refusal = (run: () => unknown) => {
  try {
    run()
    return 'nothing was refused'
  } catch (error) {
    const { code, message, hint } = error as { code: string; message: string; hint: string | null }
    return `${code} ${message}${hint === null ? '' : `; ${hint}`}`
  }
}

describe('keys in files', () => {
  it('are for their owner alone, or refused', () => {
    const place = { folder: join(scratchFolder(), 'ca'), passphrase: null, secret: null }
    const made = makeAuthority(place, 'shop.example', beganMs)
    const key = join(place.folder, made.id, 'issuer.key')
    expect([statSync(key).mode & 0o777, statSync(join(place.folder, made.id)).mode & 0o777]).toEqual([0o600, 0o700])
    openSigner(place, made).close()
    chmodSync(key, 0o640)
    expect(refusal(() => openSigner(place, made))).toBe(
      `WEFT_CA_KEY others may read ${key}: its mode is 0640; chmod 600 ${key}`,
    )
    chmodSync(key, 0o600)
    for (const [text, why] of [
      ['', 'holds no private key'],
      [readFileSync(key, 'utf8').slice(0, 100), 'holds no private key'],
    ]) {
      writeFileSync(key, text ?? '')
      expect(refusal(() => openSigner(place, made))).toContain(`${key} ${why}`)
    }
    const other = makeAuthority(place, 'shop.example', beganMs)
    writeFileSync(key, readFileSync(join(place.folder, other.id, 'issuer.key')))
    expect(refusal(() => openSigner(place, made))).toContain('the key is not the one of the certificate')
  })

  it('are locked by a passphrase when there is one', () => {
    const data = scratchFolder()
    const file = join(data, 'passphrase')
    writeFileSync(file, 'open sesame\n')
    expect(refusal(() => initAuthority(data, 'shop.example', { ...nothing, passphraseFile: file }, beganMs))).toContain(
      `others may read ${file}`,
    )
    chmodSync(file, 0o600)
    const made = initAuthority(data, 'shop.example', { ...nothing, passphraseFile: file }, beganMs)
    expect(readFileSync(join(made.folder, 'issuer.key'), 'utf8')).toContain('BEGIN ENCRYPTED PRIVATE KEY')
    const authority = { id: made.id, root: '', chain: readFileSync(join(made.folder, 'chain.pem'), 'utf8'), own: true }
    const place = { folder: join(data, 'ca'), passphrase: 'open sesame', secret: null }
    openSigner(place, authority).close()
    expect(refusal(() => openSigner({ ...place, passphrase: 'wrong' }, authority))).toContain(
      'does not open with the passphrase',
    )
    expect(refusal(() => openSigner({ ...place, passphrase: null }, authority))).toContain(
      'is locked, and there is no passphrase',
    )
    expect(refusal(() => initAuthority(data, 'shop.example', nothing, beganMs))).toContain(
      'there is an authority already',
    )
  })

  it('are not kept in a folder that others may look into', () => {
    const data = scratchFolder()
    mkdirSync(join(data, 'ca'), { mode: 0o755 })
    expect(refusal(() => initAuthority(data, 'shop.example', nothing, beganMs))).toContain('chmod 700')
  })

  it('stay the same when their intermediate is renewed', () => {
    const place = { folder: join(scratchFolder(), 'ca'), passphrase: null, secret: null }
    const made = makeAuthority(place, 'shop.example', beganMs)
    const later = beganMs + 300 * 86_400_000
    const renewed = renewIntermediate(place, made, 'shop.example', later)
    expect(renewed).toMatchObject({ id: made.id, root: made.root })
    expect(describeLink(renewed.chain).notAfterMs).toBe(later + 365 * 86_400_000)
    openSigner(place, renewed).close()
  })
})

describe('a chain that was given', () => {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' })

  it('is refused with the link that is wrong', () => {
    const folder = scratchFolder()
    const file = (name: string) => join(folder, name)
    const place = { folder: join(folder, 'ca'), passphrase: null, secret: null }
    const [one, other] = [makeAuthority(place, 'one.example', beganMs), makeAuthority(place, 'other.example', beganMs)]
    const read = (text: string, nowMs = beganMs) => refusal(() => readChain(text, 'own.pem', nowMs))
    expect(readChain(one.chain + one.root, 'own.pem', beganMs)).toEqual({ chain: one.chain, root: one.root })
    expect(read('')).toContain('own.pem holds no certificate')
    expect(read(one.chain)).toContain('is not signed by itself: the root must stand last')
    expect(read(one.chain + other.root)).toContain('is not signed by the next')
    expect(read(one.root + one.chain)).toContain('is not signed by the next')
    expect(read(one.root, beganMs + 4_000 * 86_400_000)).toContain('expired at')
    expect(read(one.root, beganMs - 7_200_000)).toContain('look at the clock')
    expect(read('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----')).toContain(
      'certificate 1 cannot be read',
    )
    openssl(
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-keyout',
      file('leaf.key'),
      '-out',
      file('leaf.pem'),
      '-subj',
      '/CN=leaf',
      '-addext',
      'basicConstraints=critical,CA:FALSE',
    )
    expect(refusal(() => readChain(readFileSync(file('leaf.pem'), 'utf8'), 'own.pem', Date.now()))).toContain(
      'CN=leaf is no authority',
    )
    writeFileSync(file('own.pem'), one.root)
    const given = { certificate: file('own.pem'), key: join(place.folder, other.id, 'root.key') }
    expect(refusal(() => takeAuthority(place, given, beganMs))).toContain(
      'cannot sign: the key is not the one of the certificate',
    )
  }, 20_000)
})
