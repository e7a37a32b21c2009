/**
 * JSON Web Key Sets (RFC 7517) as a data plane is given them: only keys that check signatures, without what is private.
 *
 * Invariant: what `readKeySet` returns is a set that every data plane takes; one key that nobody can use does not cost
 * the others.
 */
import { createPublicKey, type JsonWebKey } from 'node:crypto'
import * as z from 'zod'

export const maxKeySetBytes = 262_144

/** Algorithms by the type of key, and for elliptic curves by the curve. */
const algorithms: Record<string, readonly string[]> = {
  RSA: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  'EC P-256': ['ES256'],
  'EC P-384': ['ES384'],
  'EC P-521': ['ES512'],
  'OKP Ed25519': ['EdDSA'],
  oct: ['HS256', 'HS384', 'HS512'],
}

/** RFC 7518, section 3.3. */
const minRsaBits = 2_048

const publicFields = ['kty', 'kid', 'alg', 'use', 'crv', 'x', 'y', 'n', 'e'] as const

const keySet = z.object({ keys: z.array(z.record(z.string(), z.unknown())) })

/** `secrets`: whether shared secrets count (never when the set was fetched). Throws an `Error` that says what is wrong. */
export function readKeySet(text: string, { secrets }: { secrets: boolean }): string {
  if (text.length > maxKeySetBytes) throw new Error(`the key set is larger than ${maxKeySetBytes} bytes`)
  const parsed = keySet.safeParse(parseJson(text))
  if (!parsed.success) throw new Error('must be a JSON Web Key Set: { "keys": [ ... ] }')
  const keys = parsed.data.keys.flatMap((key) => usable(key, secrets) ?? [])
  if (keys.length > 0) return JSON.stringify({ keys })
  throw new Error('the key set has no key that can check a signature')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error('must be a JSON Web Key Set; this is not JSON')
  }
}

/** The key without what a verifier has no use for, or null where a verifier has no use for the key. */
function usable(key: Record<string, unknown>, secrets: boolean): Record<string, unknown> | null {
  const { kty, crv, alg, use, kid, k } = key
  const known = algorithms[kty === 'EC' || kty === 'OKP' ? `${kty} ${crv}` : String(kty)]
  if (known === undefined || (alg !== undefined && !known.includes(String(alg)))) return null
  if ((use !== undefined && use !== 'sig') || (kid !== undefined && typeof kid !== 'string')) return null
  const kept = Object.fromEntries(publicFields.flatMap((name) => (name in key ? [[name, key[name]]] : [])))
  if (kty === 'oct') return secrets && typeof k === 'string' && /^[\w-]+$/.test(k) ? { ...kept, k } : null
  try {
    const { asymmetricKeyDetails: { modulusLength } = {} } = createPublicKey({ format: 'jwk', key: kept as JsonWebKey })
    return modulusLength === undefined || modulusLength >= minRsaBits ? kept : null
  } catch {
    return null
  }
}

/** A key set written into a resource. */
export function keySetText() {
  return z.string().transform((text, context): string => {
    try {
      return readKeySet(text, { secrets: true })
    } catch (error) {
      context.issues.push({ code: 'custom', input: text, message: (error as Error).message })
      return z.NEVER
    }
  })
}
