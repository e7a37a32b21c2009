/**
 * Where connections go that are told apart by their addresses too. Envoy looks at the destination, then at the server name,
 * then at the source, takes the narrowest at each step that some filter chain has and never goes back: so each claim stands
 * at every place where it is the narrowest that fits, also at those that only others name.
 */
import { includesHost } from '../../resources/kind.js'
import { includesSubnet, parseSubnet, type Subnet } from '../../resources/subnet.js'
import type { ConnectionPlace } from '../nouns.js'
import { anyName, type NameClaim } from './server-names.js'

/** The places of each claimant; null: its server names say all. */
export function placesOf(held: readonly (readonly NameClaim[])[]): ConnectionPlace[][] | null {
  const claims = held.flatMap((list, owner) => list.map((claim) => known(claim, owner)))
  const named = (list: readonly NameClaim[]) => list.length < 2 || !list.some(({ name }) => name === anyName)
  if (claims.every(({ destination, source }) => destination === null && source === null) && held.every(named))
    return null
  const destinations = new Map(claims.map(({ claim, destination }) => [claim.destination ?? null, destination]))
  const sources = new Map(claims.map(({ claim, source }) => [claim.source ?? null, source]))
  const names = new Set(claims.map(({ claim: { name } }) => name))
  const places: ConnectionPlace[][] = held.map(() => [])
  for (const [destination, to] of destinations)
    for (const [source, from] of sources) {
      const fitting = claims.filter((one) => includes(one.destination, to) && includes(one.source, from))
      const byOwner = new Map<number, string[]>()
      for (const name of names) {
        const owner = narrowest(fitting.filter(({ claim }) => includesHost(claim.name, name)))?.owner
        if (owner !== undefined) byOwner.set(owner, [...(byOwner.get(owner) ?? []), name])
      }
      for (const [owner, own] of byOwner) places[owner]?.push(...withNames(own, { destination, source }))
    }
  return places
}

interface Known {
  claim: NameClaim
  owner: number
  destination: Subnet | null
  source: Subnet | null
}

function known(claim: NameClaim, owner: number): Known {
  const { destination, source } = claim
  return {
    ...{ claim, owner },
    destination: destination === undefined ? null : parseSubnet(destination),
    source: source === undefined ? null : parseSubnet(source),
  }
}

function includes(wide: Subnet | null, narrow: Subnet | null): boolean {
  return wide === null || (narrow !== null && includesSubnet(wide, narrow))
}

function narrowest(claims: Known[]): Known | undefined {
  const rank = ({ claim, destination, source }: Known) => [
    destination?.length ?? -1,
    nameWidth(claim.name),
    source?.length ?? -1,
  ]
  const [first] = [...claims].sort((a, b) => {
    const [left, right] = [rank(a), rank(b)]
    return left.map((value, index) => (right[index] ?? 0) - value).find((difference) => difference !== 0) ?? 0
  })
  return first
}

/** A name has 253 characters at most. */
function nameWidth(name: string): number {
  if (name === anyName) return 0
  return name.startsWith('*.') ? name.length : 256
}

/** No name is another filter chain than some names. */
function withNames(names: string[], at: Omit<ConnectionPlace, 'serverNames'>): ConnectionPlace[] {
  const named = names.filter((name) => name !== anyName)
  return [
    ...(named.length > 0 ? [{ ...at, serverNames: named }] : []),
    ...(named.length < names.length ? [{ ...at, serverNames: [] }] : []),
  ]
}
