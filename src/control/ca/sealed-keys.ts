/**
 * Keys of authorities as the store holds them for all replicas: sealed with a secret that each replica has in a file
 * (scrypt, RFC 7914, and AES-256-GCM).
 *
 * Invariants: the store never sees a key in the open; what is sealed for one authority opens for no other; what was
 * changed does not open.
 */
import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto'
import * as z from 'zod'
import { WeftError } from '../../errors.js'
import type { Key } from '../store/key.js'
import type { Value } from '../store/store.js'

/** PEM, PKCS #8. */
export interface AuthorityKeys {
  issuer: string
  /** Null where the root was not made here, or its key was taken away. */
  root: string | null
}

/** The store's own kind. */
export const sealedKeyKind = 'authority-key'

/** At least so many characters: the output of `openssl rand -base64 24`. */
export const minSecretLength = 32

/** 32 MiB and about 100 ms for each guess. */
const cost = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 * 1024 }
const cipher = 'aes-256-gcm'

const sealedForm = z.strictObject({ sealed: z.string(), salt: z.string(), nonce: z.string(), tag: z.string() })
const keysForm = z.strictObject({ issuer: z.string(), root: z.string().nullable() })

export function sealedKeyOf(id: string): Key {
  return { kind: sealedKeyKind, namespace: 'weft', name: id }
}

export function seal(keys: AuthorityKeys, id: string, secret: string): Value {
  const [salt, nonce] = [randomBytes(16), randomBytes(12)]
  const sealing = createCipheriv(cipher, scryptSync(secret, salt, 32, cost), nonce)
  sealing.setAAD(boundTo(id))
  const sealed = Buffer.concat([sealing.update(JSON.stringify(keys)), sealing.final()])
  const parts = { sealed, salt, nonce, tag: sealing.getAuthTag() }
  return Object.fromEntries(Object.entries(parts).map(([name, bytes]) => [name, bytes.toString('base64')]))
}

/** Throws `WEFT_CA_KEY`. */
export function unseal(value: Value, id: string, secret: string): AuthorityKeys {
  try {
    const { sealed, salt, nonce, tag } = sealedForm.parse(value)
    const key = scryptSync(secret, Buffer.from(salt, 'base64'), 32, cost)
    const opening = createDecipheriv(cipher, key, Buffer.from(nonce, 'base64'), { authTagLength: 16 })
    opening.setAAD(boundTo(id))
    opening.setAuthTag(Buffer.from(tag, 'base64'))
    const text = Buffer.concat([opening.update(Buffer.from(sealed, 'base64')), opening.final()])
    return keysForm.parse(JSON.parse(text.toString()))
  } catch (cause) {
    throw new WeftError('WEFT_CA_KEY', `the key of the authority ${id} in the store does not open`, {
      hint: 'give every replica the same file as authority.keyEncryption',
      cause,
    })
  }
}

function boundTo(id: string): Buffer {
  return Buffer.from(`weft authority key ${id}`)
}
