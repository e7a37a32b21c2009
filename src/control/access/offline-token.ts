/** A token made straight in the store of a control plane that is not running. */
import { join } from 'node:path'
import { duration } from '../../config/forms/duration.js'
import { openEmbeddedStore } from '../store/embedded.js'
import { type TokenRequest, Tokens } from './tokens.js'

export type OfflineTokenRequest = Omit<TokenRequest, 'expiresAtMs'> & { expiresIn: string | null }

/** Resolves with the token's text. Throws `WEFT_STORE_LOCKED` while the control plane runs. */
export async function createTokenOffline(
  data: string,
  { expiresIn, ...request }: OfflineTokenRequest,
): Promise<string> {
  const store = await openEmbeddedStore({ folder: join(data, 'store'), nowMs: Date.now })
  try {
    const by = { name: 'owner of the data folder', role: 'admin' as const, namespaces: ['*'], service: null }
    const expiresAtMs = expiresIn === null ? null : Date.now() + duration().parse(expiresIn)
    return (await new Tokens(store, Date.now).create({ ...request, expiresAtMs }, by)).text
  } finally {
    await store.close()
  }
}
