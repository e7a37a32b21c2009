/**
 * One data plane's stream: takes its requests, and sends what changed in an order in which nothing points to what is not
 * there yet (make before break): clusters, endpoints, extensions of filters, listeners, routes; last what goes away, in the
 * other direction.
 *
 * Invariants: a type is sent only when its last response was answered and what it points to was taken; a
 * client that does not read is sent nothing more and holds up nobody else; what it will get is always the latest.
 */
import type { ResourceType, XdsResource } from '../compile/xds/resources.js'
import { Expectations } from './expectations.js'
import { changedNames, find, type Part, type Snapshot } from './snapshot.js'
import {
  bookAck,
  bookNack,
  bookSent,
  type Changes,
  changesOf,
  createTypeState,
  holds,
  isUntouched,
  isWanted,
  type Refusal,
  spread,
  type TypeState,
} from './type-state.js'
import { namesWithin, takeWhole } from './whole.js'

/** Certificates stand first: they point to nothing, and listeners and clusters wait for them. */
type Order = readonly ResourceType[]
const makeOrder: Order = ['secrets', 'clusters', 'endpoints', 'filters', 'listeners', 'routes', 'virtualHosts']
const breakOrder: Order = ['virtualHosts', 'routes', 'listeners', 'filters', 'clusters', 'endpoints', 'secrets']

/**
 * Types whose answers must be in before a type is sent. Endpoints do not wait: Envoy answers for a cluster only when it
 * has its endpoints, and for those and for listeners only when it has their certificates.
 */
const waitsFor: Record<ResourceType, readonly ResourceType[]> = {
  secrets: [],
  clusters: [],
  endpoints: [],
  filters: ['clusters', 'endpoints'],
  listeners: ['clusters', 'endpoints'],
  routes: ['clusters', 'endpoints'],
  virtualHosts: ['clusters', 'endpoints'],
}

/** One variant of the protocol: how a response looks. */
export interface Wire {
  /** Types whose responses hold every resource, so that what is missing is gone (state of the world). */
  isWhole(type: ResourceType): boolean
  /** Whether the client can be told that a resource of the type is gone. */
  tellsRemoval(type: ResourceType): boolean
  /** Whether hosts can be asked for on demand: delta alone. */
  asksForHosts: boolean
  write(response: Response): void
}

export interface Response {
  type: ResourceType
  nonce: string
  revision: number
  /** Whole, before the single resources. */
  parts: readonly Part[]
  resources: XdsResource[]
  removed: string[]
  /** Asked for, and not there. */
  absent: string[]
}

export interface Subscription {
  type: ResourceType
  nonce: string
  error: string | null
  subscribe: string[]
  unsubscribe: string[]
  wildcard: boolean
  /** Versions that the client kept from a stream before. */
  initial: ReadonlyMap<string, string>
}

export interface StreamEvents {
  refused(type: ResourceType, refusals: Refusal[], message: string): void
  settled(): void
}

/** Hosts of one client that are kept up to date: an application may ask for any name. */
const maxAskedHosts = 10_000

export class XdsStream {
  readonly states: Record<ResourceType, TypeState>
  snapshot: Snapshot | null = null
  private readonly wire: Wire
  private readonly events: StreamEvents
  private readonly expectations = new Expectations(
    (source, [type, name]) => {
      const { snapshot, states } = this
      if (states[source.type].sent.get(source.name) !== source || isWanted(states[type], name)) return false
      return snapshot !== null && find(snapshot, type, name) !== undefined
    },
    (part) => namesWithin(part, (type) => this.states[type].names.whole),
  )
  private writable = true
  private nonces = 0
  private settledRevision = 0
  /** Answers that came for a response that was not the last. */
  staleAnswers = 0

  constructor(wire: Wire, events: StreamEvents) {
    this.wire = wire
    this.events = events
    const state = (type: ResourceType) => [type, createTypeState(type)] as const
    this.states = Object.fromEntries(makeOrder.map(state)) as Record<ResourceType, TypeState>
  }

  /** The newest state of the mesh for this data plane; an older one that was not sent yet is forgotten. */
  update(snapshot: Snapshot): void {
    const before = this.snapshot
    this.snapshot = snapshot
    for (const type of makeOrder) {
      const state = this.states[type]
      if (!state.asked) continue
      spread(state)
      for (const name of changedNames(before, snapshot, type)) state.dirty.add(name)
      if (snapshot.made[type] !== undefined) for (const name of state.names.keys()) state.dirty.add(name)
    }
    this.advance()
  }

  request(subscription: Subscription): void {
    const state = this.states[subscription.type]
    this.answer(state, subscription)
    this.subscribe(state, subscription)
    this.advance()
  }

  /** The transport took all that was written, or does not for now. */
  setWritable(writable: boolean): void {
    this.writable = writable
    if (writable) this.advance()
  }

  /** Whether the client has asked for, has and has answered everything that the snapshot holds for it. */
  get isSettled(): boolean {
    return (
      this.snapshot !== null &&
      this.expectations.isMet &&
      makeOrder.every((type) => {
        const { inFlight, dirty, fresh } = this.states[type]
        return inFlight === null && dirty.size === 0 && fresh.length === 0
      })
    )
  }

  /** The newest revision that it has answered for, 0 while it has not. */
  get answeredRevision(): number {
    return this.isSettled ? (this.snapshot?.revision ?? 0) : this.settledRevision
  }

  /** What of the present snapshot the client refuses. */
  refusals(): Refusal[] {
    const { snapshot } = this
    if (snapshot === null || makeOrder.every((type) => this.states[type].refused.size === 0)) return []
    return makeOrder.flatMap((type) =>
      [...this.states[type].refused].flatMap(([name, refusal]) =>
        find(snapshot, type, name)?.version === refusal.version ? [refusal] : [],
      ),
    )
  }

  private answer(state: TypeState, { nonce, error }: Subscription): void {
    if (nonce === '') return
    if (state.inFlight === null || nonce !== state.inFlight.nonce) {
      if (nonce !== state.lastNonce) this.staleAnswers += 1
      return
    }
    if (error === null) bookAck(state)
    else this.refuse(state, error)
  }

  private refuse(state: TypeState, message: string): void {
    const refusals = bookNack(state, message)
    for (const { resource } of refusals) this.expectations.forget([state.type, resource.name])
    this.events.refused(state.type, refusals, message)
  }

  /** What the new resources name and the client does not ask for yet. */
  private expect(
    state: TypeState,
    updates: Iterable<XdsResource>,
    removals: readonly string[],
    snapshot: Snapshot,
  ): void {
    for (const name of removals) this.expectations.forget([state.type, name])
    for (const { name, refs } of updates) {
      const missing = refs.filter(
        ([type, one]) => !isWanted(this.states[type], one) && find(snapshot, type, one) !== undefined,
      )
      this.expectations.expect([state.type, name], missing)
    }
  }

  private subscribe(state: TypeState, asked: Subscription): void {
    const { snapshot } = this
    const whole = isUntouched(state) && snapshot !== null ? takeWhole(state, asked, snapshot) : null
    const { subscribe, unsubscribe, wildcard, initial } = whole ?? asked
    if (subscribe.length > 0 || unsubscribe.length > 0) spread(state)
    if (!state.asked) {
      state.asked = true
      for (const [name, version] of initial) state.sent.set(name, { name, version })
      for (const name of initial.keys()) state.dirty.add(name)
      // Envoy's routes are in force when it was told something of each table, even if that is that there is nothing.
      if (state.type === 'virtualHosts')
        for (const table of this.states.routes.names.keys()) {
          state.names.set(`${table}/`, true)
          state.dirty.add(`${table}/`)
        }
    }
    if (wildcard && !state.wildcard) {
      state.wildcard = true
      state.owed = true
      if (snapshot !== null) for (const name of changedNames(null, snapshot, state.type)) state.dirty.add(name)
    }
    for (const name of unsubscribe) {
      if (name === '*') state.wildcard = false
      state.names.delete(name)
      if (!isWanted(state, name)) this.expectations.forget([state.type, name])
      if (!isWanted(state, name))
        for (const held of [state.sent, state.dirty, state.forced, state.absent, state.refused]) held.delete(name)
    }
    for (const name of subscribe) {
      // A client may have lost what it asks for again; but what it says it kept is not sent twice.
      if (!initial.has(name)) state.forced.add(name)
      if (state.type === 'virtualHosts' && state.names.size >= maxAskedHosts && !state.names.has(name))
        state.surplus.add(name)
      state.names.set(name, true)
      state.dirty.add(name)
    }
    for (const name of asked.subscribe) this.expectations.meet([state.type, name])
  }

  private advance(): void {
    const { snapshot } = this
    if (snapshot === null || !this.writable) return
    const removable: Changes['removals'][] = []
    let waiting = false
    for (const type of makeOrder) {
      const state = this.states[type]
      if (state.inFlight !== null || waitsFor[type].some((other) => this.states[other].inFlight !== null)) {
        waiting = true
        continue
      }
      const changes = changesOf(state, (name) => find(snapshot, type, name))
      const { parts, updates, absent } = changes
      if (parts.length > 0 || updates.size > 0 || absent.length > 0 || state.owed) {
        waiting = this.send(state, { parts, updates, removals: [], absent }) || waiting
        if (!this.writable) return
      }
      removable.push(changes.removals)
    }
    if (!waiting && removable.some((names) => names.length > 0)) this.remove(snapshot)
    if (!this.isSettled) return
    // A client that has not asked for listeners has only begun.
    if (this.states.listeners.asked) this.settledRevision = snapshot.revision
    this.events.settled()
  }

  /** Nothing points any more to what goes away. */
  private remove(snapshot: Snapshot): void {
    for (const type of breakOrder) {
      const state = this.states[type]
      if (state.inFlight !== null) return
      const { removals } = changesOf(state, (name) => find(snapshot, type, name))
      if (removals.length === 0) continue
      if (this.send(state, { parts: [], updates: new Map(), removals, absent: [] })) return
    }
  }

  /** Returns whether an answer is to come. */
  private send(state: TypeState, changes: Changes): boolean {
    const { snapshot } = this
    const { parts, updates, removals, absent } = changes
    if (snapshot === null) return false
    const { lastNonce } = state
    const nonce = String(this.nonces + 1)
    bookSent(state, nonce, changes)
    for (const name of absent) {
      if (state.surplus.delete(name)) state.names.delete(name)
      else state.absent.add(name)
      state.dirty.delete(name)
      state.forced.delete(name)
    }
    if (state.type === 'clusters') this.repeatEndpoints(changes)
    state.owed = false
    if (parts.length === 0 && updates.size === 0 && !this.wire.tellsRemoval(state.type)) {
      state.inFlight = null
      state.lastNonce = lastNonce
      return false
    }
    this.nonces += 1
    this.expect(state, updates.values(), removals, snapshot)
    for (const part of parts) this.expectations.expectPart(part)
    this.wire.write({
      ...{ type: state.type, nonce, revision: snapshot.revision, removed: removals, absent },
      ...(this.wire.isWhole(state.type)
        ? this.everything(state, snapshot)
        : { parts, resources: [...updates.values()] }),
    })
    return true
  }

  /** A cluster that changed waits for its endpoints, even when those are as they were. */
  private repeatEndpoints({ parts, updates }: Changes): void {
    const { endpoints } = this.states
    if (!endpoints.asked) return
    for (const names of [updates, ...parts]) {
      for (const name of names.keys()) {
        if (!isWanted(endpoints, name) || holds(endpoints.fresh, name)) continue
        endpoints.dirty.add(name)
        endpoints.forced.add(name)
      }
    }
  }

  /** All that the client holds, the new included. */
  private everything({ sent, type }: TypeState, snapshot: Snapshot): Pick<Response, 'parts' | 'resources'> {
    if (sent.isPlain) return { parts: sent.shared, resources: [] }
    const resources = [...sent.values()].flatMap((one) =>
      'bytes' in one ? [one as XdsResource] : (find(snapshot, type, one.name) ?? []),
    )
    return { parts: [], resources }
  }
}
