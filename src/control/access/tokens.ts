/**
 * Bearer tokens: `weft_ID_SECRET`. The store keeps the SHA-256 of the secret; 256 random bits need no slower hash.
 *
 * Invariants: a secret is shown once, when it is made, and stands nowhere after; comparison takes the same time whatever
 * differs; an expired token is as good as none.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { WeftError } from '../../errors.js'
import type { Key } from '../store/key.js'
import type { Store } from '../store/store.js'
import { covers, type Principal, type Role } from './roles.js'

export interface Token {
  id: string
  name: string
  role: Role
  namespaces: readonly string[]
  service: string | null
  createdAtMs: number
  createdBy: string
  /** `null`: it does not expire. */
  expiresAtMs: number | null
}

interface KeptToken extends Token {
  secretSha256: string
}

export type TokenRequest = Pick<Token, 'name' | 'role' | 'namespaces' | 'service' | 'expiresAtMs'>

/** The store's own kind. */
export const tokenKind = 'token'
const tokenForm = /^weft_([0-9a-f]{8})_([A-Za-z0-9_-]{43})$/

export class Tokens {
  private readonly store: Store
  private readonly nowMs: () => number

  constructor(store: Store, nowMs: () => number) {
    this.store = store
    this.nowMs = nowMs
  }

  /** Resolves with the token and its text. Throws `WEFT_ACCESS_FORBIDDEN` when it could do more than its maker. */
  async create(request: TokenRequest, by: Principal): Promise<{ token: Token; text: string }> {
    if (!covers(by, request)) {
      throw new WeftError(
        'WEFT_ACCESS_FORBIDDEN',
        `${by.name} may not make a token that may do more than it may itself`,
        {
          hint: `it is ${by.role} in ${by.namespaces.join(', ')}`,
        },
      )
    }
    const id = randomBytes(4).toString('hex')
    const secret = randomBytes(32).toString('base64url')
    const token: Token = { ...request, id, createdAtMs: this.nowMs(), createdBy: by.name }
    const value: KeptToken = { ...token, secretSha256: digest(secret).toString('hex') }
    const change = { key: keyOf(id), value: { ...value }, expect: 0 }
    await this.store.commit({ author: by.name, reason: 'token create', changes: [change] })
    return { token, text: `weft_${id}_${secret}` }
  }

  /** Throws `WEFT_ACCESS_TOKEN`. */
  verify(text: string): Principal {
    const [, id = '', secret = ''] = tokenForm.exec(text) ?? []
    const kept = this.find(id)
    // Computed for an unknown id too, so that the time does not tell which ids exist.
    const expected = kept === null ? Buffer.alloc(32) : Buffer.from(kept.secretSha256, 'hex')
    const good = timingSafeEqual(digest(secret), expected)
    if (kept === null || !good) throw refused('the token is not known here', 'it may have been revoked')
    const { expiresAtMs, name, role, namespaces, service } = kept
    if (expiresAtMs !== null && expiresAtMs <= this.nowMs()) {
      throw refused(`the token expired at ${new Date(expiresAtMs).toISOString()}`, 'ask an admin for a new one')
    }
    return { name: `token:${id}(${name})`, role, namespaces, service }
  }

  /** Without what would let anybody in. */
  all(): Token[] {
    return this.store.list({ kind: tokenKind }).map(({ value }) => shown(value as unknown as KeptToken))
  }

  /** Those that could do no more than the asker. */
  list(by: Principal): Token[] {
    return this.all().filter((token) => covers(by, token))
  }

  async revoke(id: string, by: Principal): Promise<void> {
    const token = this.list(by).find((listed) => listed.id === id)
    if (token === undefined) throw new WeftError('WEFT_API_NOT_FOUND', `there is no token ${id}`)
    const change = { key: keyOf(id), value: null, expect: null }
    await this.store.commit({ author: by.name, reason: 'token revoke', changes: [change] })
  }

  /** Calls back after one was made or revoked, here or at another replica; the returned function ends it. */
  onChange(listener: () => void): () => void {
    return this.store.watch(this.store.revision() + 1, (event) => {
      if (event.type === 'relist' || event.applied.changes.some(({ key }) => key.kind === tokenKind)) listener()
    })
  }

  private find(id: string): KeptToken | null {
    return (this.store.get(keyOf(id))?.value as KeptToken | undefined) ?? null
  }
}

function keyOf(id: string): Key {
  return { kind: tokenKind, namespace: 'weft', name: id === '' ? 'none' : id }
}

/** Without its hash. */
export function shown({ secretSha256: _, ...token }: KeptToken): Token {
  return token
}

function digest(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}

function refused(message: string, hint: string): WeftError {
  return new WeftError('WEFT_ACCESS_TOKEN', message, { hint })
}
