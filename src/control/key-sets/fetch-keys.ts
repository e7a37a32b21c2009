/**
 * One request for the keys of an issuer: a JSON Web Key Set, or the document of OpenID Connect Discovery that says where
 * it is.
 *
 * Invariants: bounded in time and bytes; no redirect is followed; an issuer that is asked by https is never asked without.
 */
import { discoveryPath } from '../compile/policies/request-authentication.js'
import { maxKeySetBytes, readKeySet } from '../resources/key-set.js'

/** The set as data planes are given it. Throws an `Error` that says why there is none. */
export async function fetchKeys(source: string, signal: AbortSignal): Promise<string> {
  const text = await get(source, signal)
  const place = source.endsWith(discoveryPath) ? keyPlace(source, text) : null
  // A shared secret that everybody may fetch is none.
  return readKeySet(place === null ? text : await get(place, signal), { secrets: false })
}

/** `jwks_uri` of a discovery document (OpenID Connect Discovery 1.0, section 4.3: it must be of the issuer that was asked). */
function keyPlace(source: string, text: string): string {
  const { issuer, jwks_uri: place } = parseObject(text)
  const asked = source.slice(0, -discoveryPath.length)
  if (typeof issuer !== 'string' || issuer.replace(/\/$/, '') !== asked)
    throw new Error(`the discovery document is of the issuer ${JSON.stringify(issuer)}`)
  if (typeof place !== 'string' || !URL.canParse(place)) throw new Error('the discovery document has no jwks_uri')
  const { protocol } = new URL(place)
  if (protocol !== 'https:' && protocol !== new URL(source).protocol)
    throw new Error(`the discovery document sends to ${place}, which is not https`)
  return place
}

function parseObject(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text))
  } catch {
    throw new Error('the discovery document is not JSON')
  }
}

async function get(url: string, signal: AbortSignal): Promise<string> {
  const response = await ask(url, signal)
  if (response.status === 200) return read(response)
  await response.body?.cancel()
  throw new Error(`it answers ${response.status}`)
}

async function ask(url: string, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(url, { signal, redirect: 'manual', headers: { accept: 'application/json' } })
  } catch (error) {
    if (signal.aborted) throw new Error('no answer in time')
    const { cause = error } = error as Error
    throw new Error((cause as Error).message)
  }
}

async function read({ body }: Response): Promise<string> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of body ?? []) {
    size += part.byteLength
    if (size > maxKeySetBytes) throw new Error(`the answer is larger than ${maxKeySetBytes} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}
