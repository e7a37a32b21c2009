import { describe, expect, it } from 'vitest'
import { seal, unseal } from '../../../../src/control/ca/sealed-keys.js'

const secret = 'a secret that is long enough to be one'
const keys = { issuer: 'PRIVATE KEY of the issuer', root: 'PRIVATE KEY of the root' }

describe('the keys of an authority in the store', () => {
  it('open with the same secret, and say nothing of themselves', () => {
    const sealed = seal(keys, 'one', secret)
    expect(unseal(sealed, 'one', secret)).toEqual(keys)
    expect(unseal(seal({ ...keys, root: null }, 'one', secret), 'one', secret).root).toBeNull()
    const text = JSON.stringify(sealed)
    expect(text).not.toContain(Buffer.from(keys.issuer).toString('base64').slice(0, 20))
    expect(seal(keys, 'one', secret).sealed).not.toBe(sealed.sealed)
  })

  it('open with no other secret, for no other authority, and not when one bit of them was changed', () => {
    const sealed = seal(keys, 'one', secret) as Record<string, string>
    const refused = { code: 'WEFT_CA_KEY', hint: expect.stringContaining('authority.keyEncryption') }
    const open =
      (value: Record<string, string>, id = 'one', other = secret) =>
      () =>
        unseal(value, id, other)
    expect(open(sealed, 'one', `${secret}.`)).toThrow(expect.objectContaining(refused))
    expect(open(sealed, 'two')).toThrow(expect.objectContaining(refused))
    for (const name of ['sealed', 'salt', 'nonce', 'tag']) {
      const bytes = Buffer.from(sealed[name] ?? '', 'base64')
      bytes[0] = (bytes[0] ?? 0) ^ 1
      expect(open({ ...sealed, [name]: bytes.toString('base64') })).toThrow(expect.objectContaining(refused))
      expect(open({ ...sealed, [name]: '' })).toThrow(expect.objectContaining(refused))
    }
    // A tag that was cut short is easier to guess.
    const cut = Buffer.from(sealed.tag ?? '', 'base64')
      .subarray(0, 4)
      .toString('base64')
    expect(open({ ...sealed, tag: cut })).toThrow(expect.objectContaining(refused))
  })
})
