/**
 * A mesh together with the keys that its RequestAuthentications name by URL: fetched as soon as a resource names them,
 * again at intervals, and the last good ones kept.
 *
 * Invariant: a change that names new keys is told when they have come or have had their time, so that data planes are not
 * first told to refuse what they are then told to take.
 */
import { keySourceOf } from '../compile/policies/request-authentication.js'
import { parseResource } from '../resources/index.js'
import type { RequestAuthenticationSpec } from '../resources/request-authentication.js'
import type { FetchedKeys, KeySets, MeshResource, MeshSource, MeshState } from '../state/mesh-source.js'
import { fetchKeys } from './fetch-keys.js'
import { keepKeys, readKeptKeys } from './kept-keys.js'

export interface KeyFollowing {
  refreshMs: number
  /** Absent: nothing is kept from one start to the next. */
  file?: string
  /** Told when an issuer goes away and when it is back. */
  say: (message: string) => void
  fetch?: (source: string, signal: AbortSignal) => Promise<string>
  /** From 0 to 1. */
  random?: () => number
}

export type FollowedMesh = MeshSource & { close(): void }

const firstRetryMs = 1_000
/** No change waits longer, whatever time a rule gives. */
const maxHoldMs = 5_000

export function followKeys(source: MeshSource, options: KeyFollowing): FollowedMesh {
  const follower = new KeyFollower(source, options)
  return {
    current: () => follower.current(),
    stateOf: (revision) => source.stateOf(revision),
    onChange: (listener) => follower.onChange(listener),
    close: () => follower.close(),
  }
}

interface Followed {
  timeoutMs: number
  failures: number
  timer: NodeJS.Timeout | undefined
}

class KeyFollower {
  private readonly source: MeshSource
  private readonly options: KeyFollowing
  private readonly kept: Map<string, string>
  private readonly followed = new Map<string, Followed>()
  private readonly listeners = new Set<() => void>()
  private readonly closing = new AbortController()
  private readonly endSource: () => void
  private keySets: KeySets = new Map()
  private seen: readonly MeshResource[] | null = null
  private state: MeshState | null = null

  constructor(source: MeshSource, options: KeyFollowing) {
    this.source = source
    this.options = options
    this.kept = options.file === undefined ? new Map() : readKeptKeys(options.file)
    this.endSource = source.onChange(() => void this.changed())
    void this.changed()
  }

  current(): MeshState {
    const inner = this.source.current()
    const { state, keySets } = this
    const same = state?.revision === inner.revision && state.resources === inner.resources
    if (!same || state.workloads !== inner.workloads || state.keySets !== keySets) this.state = { ...inner, keySets }
    return this.state ?? inner
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  close(): void {
    this.endSource()
    this.closing.abort()
    for (const { timer } of this.followed.values()) clearTimeout(timer)
    this.listeners.clear()
  }

  private async changed(): Promise<void> {
    const asked = this.follow()
    if (asked.length > 0) await Promise.race([Promise.all(asked), hold()])
    this.tell()
  }

  private tell(): void {
    for (const listener of [...this.listeners]) listener()
  }

  /** Follows what is named now and no more; what is asked for the first time is still on its way. */
  private follow(): Promise<void>[] {
    const { resources } = this.source.current()
    if (resources === this.seen) return []
    this.seen = resources
    const wanted = sourcesOf(resources)
    for (const [source, { timer }] of this.followed) {
      if (wanted.has(source)) continue
      clearTimeout(timer)
      this.followed.delete(source)
      this.set(source, null)
    }
    return [...wanted].flatMap(([source, timeoutMs]) => {
      const known = this.followed.get(source)
      if (known !== undefined) known.timeoutMs = timeoutMs
      return known === undefined ? [this.begin(source, timeoutMs)] : []
    })
  }

  private async begin(source: string, timeoutMs: number): Promise<void> {
    const keys = this.kept.get(source) ?? null
    if (keys !== null) this.set(source, { keys, fault: null })
    const followed: Followed = { timeoutMs, failures: 0, timer: undefined }
    this.followed.set(source, followed)
    await this.fetch(source, followed)
  }

  /** Never rejects. */
  private async fetch(source: string, followed: Followed): Promise<void> {
    const signal = AbortSignal.any([this.closing.signal, AbortSignal.timeout(followed.timeoutMs)])
    const { fetch = fetchKeys } = this.options
    const found = await fetch(source, signal).then(
      (keys): FetchedKeys => ({ keys, fault: null }),
      (error: Error): FetchedKeys => ({ keys: this.keySets.get(source)?.keys ?? null, fault: error.message }),
    )
    if (this.closing.signal.aborted || this.followed.get(source) !== followed) return
    followed.failures = found.fault === null ? 0 : followed.failures + 1
    this.sayChange(source, found)
    const changed = this.set(source, found)
    this.again(source, followed)
    if (changed) this.tell()
  }

  private again(source: string, followed: Followed): void {
    const { refreshMs, random = Math.random } = this.options
    const waitMs = followed.failures === 0 ? refreshMs : firstRetryMs * 2 ** Math.min(followed.failures - 1, 20)
    const jitter = 0.9 + random() * 0.2
    followed.timer = setTimeout(() => void this.fetch(source, followed), Math.min(waitMs, refreshMs) * jitter)
    followed.timer.unref()
  }

  private set(source: string, found: FetchedKeys | null): boolean {
    const before = this.keySets.get(source)
    if (before?.keys === found?.keys && before?.fault === found?.fault) return false
    const next = new Map(this.keySets)
    if (found === null) next.delete(source)
    else next.set(source, found)
    this.keySets = next
    if (found === null || (found.keys !== null && found.keys !== this.kept.get(source))) this.keep()
    return true
  }

  private keep(): void {
    this.kept.clear()
    for (const [source, { keys }] of this.keySets) if (keys !== null) this.kept.set(source, keys)
    const { file, say } = this.options
    if (file === undefined) return
    keepKeys(file, this.kept).catch((error: Error) =>
      say(`keys of issuers are not kept for the next start: ${error.message}`),
    )
  }

  private sayChange(source: string, { fault }: FetchedKeys): void {
    const before = this.keySets.get(source)?.fault ?? null
    if (fault === before) return
    this.options.say(fault === null ? `${source} gives keys again` : `no keys from ${source}: ${fault}`)
  }
}

function hold(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, maxHoldMs).unref()
  })
}

/** With the longest time that a rule gives each. */
function sourcesOf(resources: readonly MeshResource[]): Map<string, number> {
  const sources = new Map<string, number>()
  for (const resource of resources) {
    if (resource.kind !== 'RequestAuthentication') continue
    const { jwtRules } = (parseResource(resource)?.spec ?? { jwtRules: [] }) as Pick<
      RequestAuthenticationSpec,
      'jwtRules'
    >
    for (const rule of jwtRules) {
      const source = keySourceOf(rule)
      if (source !== null) sources.set(source, Math.max(rule.timeout, sources.get(source) ?? 0))
    }
  }
  return sources
}
