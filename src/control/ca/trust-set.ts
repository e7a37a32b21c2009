/**
 * The authorities that the mesh trusts now, as the store knows them, each with its key where that lies here.
 *
 * Invariants: one of them issues at most; whoever is trusted by some is trusted by all before it issues, and for as long
 * as anything that it issued lasts; the store holds certificates, and a key only sealed (`sealed-keys.ts`).
 */
import { WeftError } from '../../errors.js'
import type { Key } from '../store/key.js'
import type { Change, Entry, Store } from '../store/store.js'
import {
  type AuthorityCertificates,
  type AuthorityFolder,
  openSigner,
  readKeys,
  removeAuthority,
  writeKeys,
} from './authority-files.js'
import { splitPem } from './chain.js'
import { seal, sealedKeyKind, sealedKeyOf, unseal } from './sealed-keys.js'
import type { Signer } from './signer.js'

/** `adding`: trusted and not issuing yet. `retiring`: trusted for what it has issued. */
export type AuthorityState = 'adding' | 'issuing' | 'retiring'

export interface KeptAuthority extends AuthorityCertificates {
  state: AuthorityState
  sinceMs: number
  /** When the last certificate of a retiring one has ended. */
  untilMs: number | null
}

export interface Authority extends KeptAuthority {
  /** Null where its key does not lie here. */
  signer: Signer | null
  /** Of the store's entry. */
  version: number
}

/** The store's own kind. */
export const authorityKind = 'authority'

export interface TrustSetOptions extends AuthorityFolder {
  store: Store
  /** Told when a key is not here. */
  say: (message: string) => void
}

export class TrustSet {
  private readonly options: TrustSetOptions
  private readonly listeners = new Set<() => void>()
  private readonly endWatch: () => void
  private known: Authority[] = []

  constructor(options: TrustSetOptions) {
    this.options = options
    const { store } = options
    this.learn()
    this.endWatch = store.watch(store.revision() + 1, (event) => {
      const concerned =
        event.type === 'relist' ||
        event.applied.changes.some(({ key: { kind } }) => kind === authorityKind || kind === sealedKeyKind)
      if (!concerned) return
      this.learn()
      for (const listener of [...this.listeners]) listener()
    })
  }

  all(): readonly Authority[] {
    return this.known
  }

  inState(state: AuthorityState): Authority | null {
    return this.known.find((authority) => authority.state === state) ?? null
  }

  /** PEM: every root once. */
  roots(): string {
    return [...new Set(this.known.map(({ root }) => root))].join('')
  }

  /** Calls back after each change; the returned function ends it. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** All of them at once or none, with the keys that replicas share. */
  async commit(author: string, reason: string, changes: readonly AuthorityChange[]): Promise<void> {
    const keys = changes.flatMap(({ id, value }) => this.keyChanges(id, value !== null))
    await this.options.store.commit({ author, reason, changes: [...changes.map(changeOf), ...keys] })
  }

  /** Keys that lie here and not yet in the store, where they are shared. Only where changes are taken. */
  async shareKeys(): Promise<void> {
    const changes = this.known.flatMap(({ id }) => this.keyChanges(id, true))
    if (changes.length > 0) await this.options.store.commit({ author: 'control', reason: 'ca keys', changes })
  }

  /** Throws `WEFT_CA_STATE` where another authority would be known to this replica alone. */
  demandSharing(): void {
    const { store, secret } = this.options
    if (secret !== null || store.list({ kind: sealedKeyKind }).length === 0) return
    throw new WeftError('WEFT_CA_STATE', 'replicas share the keys of authorities, and this one cannot', {
      hint: 'give it the file that the others have as authority.keyEncryption',
    })
  }

  close(): void {
    this.endWatch()
    for (const { signer } of this.known) signer?.close()
  }

  private learn(): void {
    const before = this.known
    this.known = this.options.store.list({ kind: authorityKind }).map((entry) => this.opened(entry, before))
    const held = new Set(this.known.map(({ signer }) => signer))
    for (const { signer } of before) if (!held.has(signer)) signer?.close()
    if (this.options.secret === null || this.known.length === 0) return
    const ids = new Set(this.known.map(({ id }) => id))
    for (const { id } of before) if (!ids.has(id)) removeAuthority(this.options, id)
  }

  private keyChanges(id: string, isTrusted: boolean): Change[] {
    const { store, secret } = this.options
    const key = sealedKeyOf(id)
    const isShared = store.get(key) !== null
    if (!isTrusted) return isShared ? [{ key, value: null, expect: null }] : []
    if (secret === null || isShared) return []
    try {
      const keys = readKeys(this.options, id)
      return keys === null ? [] : [{ key, value: seal(keys, id, secret), expect: 0 }]
    } catch (error) {
      // It was said when it was opened; nothing else waits for it.
      if (error instanceof WeftError) return []
      throw error
    }
  }

  private opened({ value, version }: Entry, before: readonly Authority[]): Authority {
    const kept = value as unknown as KeptAuthority
    const same = before.find(({ id, chain, signer }) => id === kept.id && chain === kept.chain && signer !== null)
    return { ...kept, version, signer: same?.signer ?? this.open(kept) }
  }

  private open(kept: KeptAuthority): Signer | null {
    try {
      this.fetchKeys(kept)
      return openSigner(this.options, kept)
    } catch (error) {
      this.options.say(`the authority ${kept.id} cannot sign here: ${(error as Error).message}`)
      return null
    }
  }

  /** The keys of another replica, where they are shared and do not lie here yet. */
  private fetchKeys(kept: KeptAuthority): void {
    const { store, secret } = this.options
    const shared = store.get(sealedKeyOf(kept.id))
    if (shared === null || readKeys(this.options, kept.id) !== null) return
    if (secret === null) {
      throw new WeftError('WEFT_CA_KEY', 'its key is in the store, encrypted, and there is no authority.keyEncryption')
    }
    writeKeys(this.options, kept, unseal(shared.value, kept.id, secret))
  }
}

export interface AuthorityChange {
  id: string
  /** Null takes it away. */
  value: KeptAuthority | null
  expect: number
}

export function noKeyHint(id: string): string {
  return `give every replica the same authority.keyEncryption, or copy DATA/ca/${id} of the one that has it`
}

export function keptOf({ signer: _, version: __, ...kept }: Authority): KeptAuthority {
  return kept
}

/** PEM of who really signs. */
export function signingCertificate({ chain, root }: AuthorityCertificates): string {
  return splitPem(chain)[0] ?? root
}

function changeOf({ id, value, expect }: AuthorityChange): Change {
  const key: Key = { kind: authorityKind, namespace: 'weft', name: id }
  return { key, value: value === null ? null : { ...value }, expect }
}
