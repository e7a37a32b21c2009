/**
 * The first request of a type, where it wants whole parts of the snapshot, as that of an Envoy does: it is given them by
 * reference instead of name by name. What a client kept from a stream before is compared with them.
 */
import type { ResourceType, XdsResource } from '../compile/xds/resources.js'
import { Layered } from './layered.js'
import type { Part, Snapshot } from './snapshot.js'
import type { Subscription } from './stream.js'
import { holds, type Sent, type TypeState } from './type-state.js'

/** Returns what of the request is left to be looked at name by name; null: all of it. */
export function takeWhole(state: TypeState, asked: Subscription, { parts }: Snapshot): Subscription | null {
  const { subscribe, wildcard, initial } = asked
  // Hosts on demand are counted name by name.
  if (state.type === 'virtualHosts') return null
  const present = parts[state.type].filter(({ size }) => size > 0)
  const covered = wildcard ? present : named(present, subscribe)
  if (covered.length === 0 || (wildcard && subscribe.length > 0) || shareNames(covered)) return null
  state.asked = true
  state.wildcard = wildcard
  state.owed = wildcard
  if (!wildcard) state.names = new Layered<unknown>(covered)
  if (initial.size === 0) state.fresh = covered
  else compare(state, covered, initial)
  const all = covered.reduce((sum, { size }) => sum + size, 0)
  const rest = wildcard || all === subscribe.length ? [] : subscribe.filter((name) => !holds(covered, name))
  return { ...asked, subscribe: rest, wildcard: false }
}

/** What the client kept as it is now is not looked at again. */
function compare(state: TypeState, covered: readonly Part[], initial: Subscription['initial']): void {
  state.sent = new Layered<Sent, XdsResource>(covered)
  let known = 0
  for (const [name, version] of initial) {
    const present = state.sent.get(name)
    if (present !== undefined) known += 1
    if (present?.version === version) continue
    state.sent.set(name, { name, version })
    state.dirty.add(name)
  }
  if (known === covered.reduce((sum, { size }) => sum + size, 0)) return
  for (const part of covered) {
    for (const name of part.keys()) {
      if (initial.has(name)) continue
      state.sent.delete(name)
      state.dirty.add(name)
    }
  }
}

const positions = new WeakMap<Part, ReadonlyMap<string, number>>()

/** The parts of which every name is among these. */
function named(parts: readonly Part[], names: readonly string[]): readonly Part[] {
  return parts.filter((part) => {
    if (part.size > names.length) return false
    const positionOf = positions.get(part) ?? new Map([...part.keys()].map((name, index) => [name, index]))
    positions.set(part, positionOf)
    const isNamed = new Uint8Array(part.size)
    let missing = part.size
    for (const name of names) {
      const at = positionOf.get(name)
      if (at === undefined || isNamed[at] === 1) continue
      isNamed[at] = 1
      missing -= 1
    }
    return missing === 0
  })
}

function shareNames(parts: readonly Part[]): boolean {
  return parts.some((part, index) =>
    parts.slice(0, index).some((before) => {
      const [fewer, more] = part.size < before.size ? [part, before] : [before, part]
      for (const name of fewer.keys()) if (more.has(name)) return true
      return false
    }),
  )
}

const within = new WeakMap<Part, WeakMap<object, boolean>>()

/**
 * Whether each name that the resources of a part refer to is in one of the maps of its type, looked through once for all
 * who hold the same ones.
 */
export function namesWithin(
  part: Part,
  mapsOf: (type: ResourceType) => readonly ReadonlyMap<string, unknown>[],
): boolean {
  const type = typeOfReferences(part)
  if (type === null) return false
  return mapsOf(type).some((map) => {
    const known = within.get(part) ?? new WeakMap<object, boolean>()
    const answer = known.get(map) ?? [...part.values()].every(({ refs }) => refs.every(([, name]) => map.has(name)))
    within.set(part, known.set(map, answer))
    return answer
  })
}

const types = new WeakMap<Part, { type: ResourceType | null }>()

/** Null where they are of several types or there are none. */
function typeOfReferences(part: Part): ResourceType | null {
  const known = types.get(part)
  if (known !== undefined) return known.type
  const [type = null, ...others] = new Set([...part.values()].flatMap(({ refs }) => refs.map(([one]) => one)))
  const only = others.length === 0 ? type : null
  types.set(part, { type: only })
  return only
}
