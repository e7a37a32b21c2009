/**
 * What one stream knows of one type: what its client asked for, what it was sent, what it has not answered yet.
 *
 * Invariants: at most one response waits for its answer; only the latest state is kept, never a queue; a name that has to
 * be looked at again is in `dirty`, so a change costs by what changed and not by what there is; who takes whole parts of a
 * snapshot holds them by reference, so another data plane with the same view costs next to nothing.
 */
import type { ResourceType, XdsResource } from '../compile/xds/resources.js'
import { Layered } from './layered.js'
import type { Part } from './snapshot.js'

/** A resource that the client had before this stream (delta, `initial_resource_versions`). */
export type Sent = Pick<XdsResource, 'name' | 'version'> & Partial<XdsResource>

export interface InFlight {
  nonce: string
  /** Sent as a whole, where nothing was before. */
  parts: readonly Part[]
  /** What each name was before this response; undefined: it was not there. */
  before: Map<string, Sent | undefined>
  after: Map<string, XdsResource | undefined>
  /** Names that were sent although they had not changed. */
  repeated: Set<string>
}

export interface Refusal {
  version: string
  message: string
  resource: XdsResource
  /** What the client had before, and still has. */
  lastGood: Sent | null
}

export interface TypeState {
  type: ResourceType
  /** The client has asked for this type on this stream. */
  asked: boolean
  wildcard: boolean
  /** A client that asks for everything waits for an answer even where there is nothing. */
  owed: boolean
  /** The names asked for. */
  names: Layered<unknown>
  sent: Layered<Sent, XdsResource>
  dirty: Set<string>
  /** Parts of the snapshot that are wanted as a whole and were not sent; none of their names is dirty. */
  fresh: readonly Part[]
  /** Sent again even when unchanged. */
  forced: Set<string>
  /** Told to be not there. */
  absent: Set<string>
  /** Asked for beyond what is kept up to date: told to be not there, and forgotten. */
  surplus: Set<string>
  inFlight: InFlight | null
  lastNonce: string
  refused: Map<string, Refusal>
}

export function createTypeState(type: ResourceType): TypeState {
  return {
    type,
    asked: false,
    wildcard: false,
    owed: false,
    names: new Layered(),
    sent: new Layered(),
    dirty: new Set(),
    fresh: [],
    forced: new Set(),
    absent: new Set(),
    surplus: new Set(),
    inFlight: null,
    lastNonce: '',
    refused: new Map(),
  }
}

export function isWanted({ wildcard, names }: TypeState, name: string): boolean {
  return wildcard || names.has(name)
}

/** Whether the client has this version and has said so. */
export function hasTaken({ sent, inFlight, dirty }: TypeState, { name, version }: XdsResource): boolean {
  return sent.get(name)?.version === version && !isInFlight(inFlight, name) && !dirty.has(name)
}

function isInFlight(inFlight: InFlight | null, name: string): boolean {
  return inFlight !== null && (inFlight.after.has(name) || holds(inFlight.parts, name))
}

export function holds(parts: readonly Part[], name: string): boolean {
  return parts.some((part) => part.has(name))
}

/** Nothing of the type was asked for or sent yet. */
export function isUntouched({ asked, wildcard, names, sent, dirty, fresh, inFlight }: TypeState): boolean {
  const empty = names.isEmpty && sent.isEmpty && dirty.size === 0 && fresh.length === 0
  return !asked && !wildcard && empty && inFlight === null
}

/** The names of parts that were not sent are looked at one by one from now on. */
export function spread(state: TypeState): void {
  for (const part of state.fresh) for (const name of part.keys()) state.dirty.add(name)
  state.fresh = []
}

/**
 * Whether a client has to be told what is gone. What another resource named it lets go by itself, when that one was
 * replaced and the last request that uses it has ended: taking it away before would break that request.
 */
function isRoot({ type, wildcard }: TypeState): boolean {
  return wildcard || type === 'listeners' || type === 'virtualHosts'
}

export interface Changes {
  /** To be sent as they are. */
  parts: readonly Part[]
  updates: Map<string, XdsResource>
  /** Sent before and gone now. */
  removals: string[]
  /** Asked for, never there. */
  absent: string[]
}

/**
 * What has to be sent of the dirty names. A version that the client refused is not sent again: its last good one stays
 * in force until there is another.
 */
export function changesOf(state: TypeState, find: (name: string) => XdsResource | undefined): Changes {
  const changes: Changes = { parts: state.fresh, updates: new Map(), removals: [], absent: [] }
  for (const name of state.dirty) {
    if (!isWanted(state, name)) {
      state.dirty.delete(name)
      continue
    }
    const target = state.surplus.has(name) ? undefined : find(name)
    const sent = state.sent.get(name)
    const forced = state.forced.has(name)
    if (target === undefined) {
      if (sent !== undefined && isRoot(state)) changes.removals.push(name)
      else if (sent !== undefined) state.dirty.delete(name)
      else if (state.names.has(name) && (forced || !state.absent.has(name))) changes.absent.push(name)
      else state.dirty.delete(name)
    } else if (state.refused.get(name)?.version === target.version) {
      // A request waits for the host: it is told that there is none.
      const waits = state.type === 'virtualHosts' && sent === undefined && (forced || !state.absent.has(name))
      if (waits) changes.absent.push(name)
      else state.dirty.delete(name)
    } else if (sent?.version !== target.version || forced) changes.updates.set(name, target)
    else state.dirty.delete(name)
  }
  return changes
}

/** Books a response as sent. */
export function bookSent(
  state: TypeState,
  nonce: string,
  { parts, updates, removals }: Pick<Changes, 'parts' | 'updates' | 'removals'>,
): void {
  const inFlight: InFlight = { nonce, parts, before: new Map(), after: new Map(), repeated: new Set() }
  if (parts.length > 0) state.sent = new Layered<Sent, XdsResource>([...parts, ...state.sent.shared])
  state.fresh = []
  for (const name of state.refused.keys()) if (holds(parts, name)) state.refused.delete(name)
  const change = (name: string, after: XdsResource | undefined) => {
    const before = state.sent.get(name)
    if (before !== undefined && before.version === after?.version) inFlight.repeated.add(name)
    inFlight.before.set(name, before)
    inFlight.after.set(name, after)
    if (after === undefined) state.sent.delete(name)
    else state.sent.set(name, after)
    for (const set of [state.dirty, state.forced, state.absent]) set.delete(name)
    if (after !== undefined) state.refused.delete(name)
  }
  for (const [name, resource] of updates) change(name, resource)
  for (const name of removals) change(name, undefined)
  state.inFlight = inFlight
  state.lastNonce = nonce
}

/** The client took it. Clears what it refused before under the same names. */
export function bookAck(state: TypeState): void {
  const { inFlight, refused } = state
  for (const [name, { version }] of refused) {
    if (isInFlight(inFlight, name) && inFlight?.after.get(name)?.version !== version) refused.delete(name)
  }
  state.inFlight = null
}

/**
 * The client refused it: each of its names is as before, the culprits are not sent again, the rest is. Returns them.
 */
export function bookNack(state: TypeState, message: string): Refusal[] {
  const { inFlight } = state
  if (inFlight === null) return []
  const all = [...inFlight.parts.flatMap((part) => [...part]), ...inFlight.after]
  const changed = all.filter(([name]) => !inFlight.repeated.has(name))
  const named = changed.filter(([name, after]) => after !== undefined && mentions(message, name))
  const culprits = (named.length > 0 ? named : changed).flatMap(([, after]) => (after === undefined ? [] : [after]))
  for (const [name, after] of all) {
    // There is nothing to blame for what went away, and nothing to gain by saying it again.
    if (after === undefined) continue
    const before = inFlight.before.get(name)
    if (before === undefined) state.sent.delete(name)
    else state.sent.set(name, before)
    state.dirty.add(name)
  }
  const refusals = culprits.map((resource): Refusal => {
    const lastGood = inFlight.before.get(resource.name) ?? null
    return { version: resource.version, message, resource, lastGood }
  })
  for (const refusal of refusals) state.refused.set(refusal.resource.name, refusal)
  state.inFlight = null
  return refusals
}

/** The name as a whole word: `reviews` is not meant by `reviews-v2`. */
function mentions(message: string, name: string): boolean {
  const at = message.indexOf(name)
  if (at === -1) return false
  const word = /[\w./-]/
  const [before, after] = [message[at - 1] ?? ' ', message[at + name.length] ?? ' ']
  return !word.test(before) && (!word.test(after) || /[.]/.test(after))
}
