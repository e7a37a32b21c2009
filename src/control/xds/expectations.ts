/**
 * What a client will ask for next, because what it was sent names it: the endpoints of a cluster, the routes of a
 * listener, a gRPC client's clusters. Until it has asked, it is not done with the change.
 *
 * Invariant: what nobody names any more is not waited for.
 */
import type { ResourceType, XdsResource } from '../compile/xds/resources.js'
import type { Part } from './snapshot.js'

export type Reference = readonly [type: ResourceType, name: string]

/** Whether a resource names something that its client still has to ask for. */
type IsMissing = (source: XdsResource, reference: Reference) => boolean

/** A part that was sent, up to the first resource whose references are not all met. */
interface Glance {
  part: Part
  rest: Iterator<XdsResource>
  at: XdsResource | undefined
}

export class Expectations {
  private glances: Glance[] = []
  private readonly isMissing: IsMissing
  private readonly isWanted: (part: Part) => boolean
  /** By what is waited for: who names it. */
  private readonly waiting = new Map<string, Set<string>>()
  /** By who names: what of it is waited for. */
  private readonly named = new Map<string, string[]>()

  /** `isWanted`: whether the client is known to ask for all that a part names, without a look at each name. */
  constructor(isMissing: IsMissing, isWanted: (part: Part) => boolean) {
    this.isMissing = isMissing
    this.isWanted = isWanted
  }

  get isMet(): boolean {
    if (this.glances.length > 0) this.glances = this.glances.filter((glance) => !this.goOn(glance))
    return this.waiting.size === 0 && this.glances.length === 0
  }

  /** All of a part was sent: looked through when it is asked for, no resource twice. */
  expectPart(part: Part): void {
    const rest = part.values()
    this.glances.push({ part, rest, at: rest.next().value })
  }

  /** Returns whether all of the part is met. */
  private goOn(glance: Glance): boolean {
    if (this.isWanted(glance.part)) return true
    for (; glance.at !== undefined; glance.at = glance.rest.next().value) {
      const { at } = glance
      if (at.refs.some((reference) => this.isMissing(at, reference))) return false
    }
    return true
  }

  /** `source` was sent and names these, which the client has not asked for yet; what it named before counts no more. */
  expect(source: Reference, missing: readonly Reference[]): void {
    this.forget(source)
    if (missing.length === 0) return
    const from = key(source)
    this.named.set(from, missing.map(key))
    for (const one of missing) {
      const sources = this.waiting.get(key(one)) ?? new Set<string>()
      this.waiting.set(key(one), sources.add(from))
    }
  }

  /** The client asked for it. */
  meet(reference: Reference): void {
    if (this.waiting.size === 0) return
    const asked = key(reference)
    for (const from of this.waiting.get(asked) ?? []) {
      const rest = (this.named.get(from) ?? []).filter((one) => one !== asked)
      if (rest.length === 0) this.named.delete(from)
      else this.named.set(from, rest)
    }
    this.waiting.delete(asked)
  }

  /** The client does not have it any more, or never took it. */
  forget(source: Reference): void {
    const from = key(source)
    for (const one of this.named.get(from) ?? []) {
      const sources = this.waiting.get(one)
      sources?.delete(from)
      if (sources?.size === 0) this.waiting.delete(one)
    }
    this.named.delete(from)
  }
}

function key([type, name]: Reference): string {
  return `${type} ${name}`
}
