/** Snapshots made by hand, and a client that only takes notes, for tests of a stream alone. */
import { type ResourceType, resourceTypes, type XdsResource } from '../../src/control/compile/xds/resources.js'
import type { Part, Snapshot } from '../../src/control/xds/snapshot.js'
import type { Subscription, Wire } from '../../src/control/xds/stream.js'

type Versions = Partial<Record<ResourceType, Record<string, string>>>

export function snapshotOf(revision: number, versions: Versions): Snapshot {
  const part = (type: ResourceType) =>
    new Map(Object.entries(versions[type] ?? {}).map(([name, version]) => [name, resource(type, name, version)]))
  const parts = Object.fromEntries(resourceTypes.map((type) => [type, [part(type)]])) as unknown as Snapshot['parts']
  const node = {
    id: 'n',
    plane: 'envoy',
    role: 'sidecar',
    namespace: 'default',
    service: 's',
    account: 's',
    labels: {},
  } as const
  return {
    revision,
    node: { ...node, region: '', zone: '', zoneAware: false, outbound: null, inbound: null, app: null, hosts: 'all' },
    parts,
    made: {},
    findings: [],
  }
}

/** A listener names the routes `r`, a cluster its endpoints. */
function resource(type: ResourceType, name: string, version: string): XdsResource {
  return { type, name, version, json: {}, bytes: new Uint8Array(), refs: refsOf(type, name), pieces: () => [] }
}

/** What was sent, as `TYPE NONCE name=version … -removed`. */
export class Notes implements Wire {
  readonly sent: string[] = []
  /** Those that were sent whole. */
  readonly parts: Part[] = []
  readonly whole: boolean
  readonly asksForHosts = true
  lastNonce: Partial<Record<ResourceType, string>> = {}

  constructor(whole: boolean) {
    this.whole = whole
  }

  isWhole(type: ResourceType): boolean {
    return this.whole && (type === 'clusters' || type === 'listeners')
  }

  tellsRemoval(type: ResourceType): boolean {
    return !this.whole || this.isWhole(type)
  }

  write({ type, nonce, parts, resources, removed, absent }: Parameters<Wire['write']>[0]): void {
    const names = [...parts.flatMap((part) => [...part.values()]), ...resources].map(
      ({ name, version }) => `${name}=${version}`,
    )
    this.parts.push(...parts)
    this.lastNonce[type] = nonce
    this.sent.push([type, ...names, ...[...removed, ...absent].map((name) => `-${name}`)].join(' '))
  }

  /** What came since the last look. */
  take(): string[] {
    return this.sent.splice(0)
  }
}

export function subscription(type: ResourceType, more: Partial<Subscription> = {}): Subscription {
  return { type, nonce: '', error: null, subscribe: [], unsubscribe: [], wildcard: false, initial: new Map(), ...more }
}

function refsOf(type: ResourceType, name: string): XdsResource['refs'] {
  if (type === 'clusters') return [['endpoints', name]]
  return type === 'listeners' ? [['routes', 'r']] : []
}
