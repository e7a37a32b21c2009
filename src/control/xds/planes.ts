/** The data planes that are connected: each with its stream, kept up to date with the mesh, and what it says. */
import { EventEmitter, once } from 'node:events'
import type { CertificateSource } from '../certificates/certificate-source.js'
import type { Mesh } from '../compile/mesh/mesh.js'
import type { MeshNode } from '../compile/mesh/node.js'
import { rootsResource } from '../compile/xds/resources.js'
import { buildSnapshot, prepareIdentity } from './snapshot.js'
import { type Wire, XdsStream } from './stream.js'
import { hasTaken } from './type-state.js'
import { findingIssues, refusalIssues, type Verdict, type VerdictIssue } from './verdicts.js'

export interface Plane {
  node: MeshNode
  stream: XdsStream
  connectedAtMs: number
  /** What it refused last, in its own words; null: nothing yet. */
  lastRefusal: string | null
  /** Why the present mesh could not be compiled for it; null: it could. */
  fault: string | null
}

/** The loop goes round after so many milliseconds of compiling, so that answers are read while others are told. */
const sliceMs = 20
/** Whoever is told of changes looks at all data planes: the more there are, the more changes are told at once. */
const pauseMs = (count: number) => 2 + count / 10

export class Planes {
  readonly all = new Set<Plane>()
  private readonly events = new EventEmitter().setMaxListeners(0)
  private readonly certificates: CertificateSource
  private readonly now: () => number
  private mesh: Mesh
  private telling = false
  private isNewsPending = false
  private changed = new Set<Plane>()

  constructor(mesh: Mesh, certificates: CertificateSource, now: () => number) {
    this.mesh = mesh
    this.certificates = certificates
    this.now = now
  }

  /** What to wait for before it is connected, so that it is given all of its view at once; null: nothing. */
  prepare(node: MeshNode): Promise<void> | null {
    try {
      return prepareIdentity(this.mesh, node, this.certificates)
    } catch {
      return null // said when its view is made
    }
  }

  connect(node: MeshNode, wire: Wire): Plane {
    const stream = new XdsStream(wire, {
      refused: (_, __, message) => {
        plane.lastRefusal = message
      },
      settled: () => this.announce(plane),
    })
    const plane: Plane = { node, stream, connectedAtMs: this.now(), lastRefusal: null, fault: null }
    this.all.add(plane)
    this.bring(plane, this.mesh)
    return plane
  }

  disconnect(plane: Plane): void {
    this.all.delete(plane)
    this.announce(plane)
  }

  /**
   * Calls back soon after one came, went, was told something or has answered, once for all that did meanwhile; the
   * returned function ends it.
   */
  onChange(listener: (changed: ReadonlySet<Plane>) => void): () => void {
    this.events.on('settled', listener)
    return () => this.events.off('settled', listener)
  }

  /** Who has asked for the trusted roots, and whether each has taken the present ones. */
  rootsFollowers(): { node: string; taken: boolean }[] {
    const bundle = this.certificates.roots()
    if (bundle === null) return []
    const present = rootsResource(bundle)
    return [...this.all].flatMap(({ node, stream }) => {
      const { secrets } = stream.states
      return secrets.names.has(present.name) ? [{ node: node.id, taken: hasTaken(secrets, present) }] : []
    })
  }

  /** Tells all of them; a mesh that comes meanwhile takes the place of this one. */
  async tell(mesh: Mesh): Promise<void> {
    this.mesh = mesh
    if (this.telling) return
    this.telling = true
    try {
      for (let told: Mesh | null = null; told !== this.mesh; ) {
        told = this.mesh
        await this.tellEach(told)
      }
    } finally {
      this.telling = false
    }
  }

  private async tellEach(mesh: Mesh): Promise<void> {
    const coming = [...this.all].flatMap(({ node }) => this.prepare(node) ?? [])
    if (coming.length > 0) await Promise.all(coming)
    let began = this.now()
    for (const plane of [...this.all]) {
      if (!this.all.has(plane)) continue
      this.bring(plane, mesh)
      if (this.now() - began < sliceMs) continue
      await new Promise((resolve) => setImmediate(resolve))
      began = this.now()
    }
  }

  /** What cannot be compiled for one of them leaves that one as it was, and must not end the others. */
  private bring(plane: Plane, mesh: Mesh): void {
    try {
      plane.stream.update(buildSnapshot(mesh, plane.node, this.certificates))
      plane.fault = null
    } catch (error) {
      plane.fault = `revision ${mesh.revision} cannot be compiled for it: ${(error as Error).message}`
    }
    this.announce(plane)
  }

  private announce(plane: Plane): void {
    this.changed.add(plane)
    if (this.isNewsPending) return
    this.isNewsPending = true
    const tell = () => {
      const { changed } = this
      this.isNewsPending = false
      this.changed = new Set()
      this.events.emit('settled', changed)
    }
    setTimeout(tell, pauseMs(this.all.size)).unref()
  }

  verdicts(revision: number): Verdict[] {
    return [...this.all].map((one): Verdict => {
      const { node, stream } = one
      const issues = issuesOf(one)
      const answered = stream.answeredRevision
      const state = isPending(one, revision, answered) ? 'pending' : issues.length > 0 ? 'refused' : 'applied'
      const { id, plane, service, namespace } = node
      return { node: id, plane, service, namespace, state, revision: answered, issues }
    })
  }

  /** Resolves when every data plane that is connected has answered for the revision, or with what there is at the bound. */
  async settled(revision: number, signal: AbortSignal): Promise<Verdict[]> {
    for (;;) {
      if (![...this.all].some((plane) => isPending(plane, revision))) return this.verdicts(revision)
      try {
        await once(this.events, 'settled', { signal })
      } catch {
        return this.verdicts(revision)
      }
    }
  }
}

const none: readonly VerdictIssue[] = []

export function issuesOf({ fault, stream }: Plane): readonly VerdictIssue[] {
  const refusals = stream.refusals()
  const findings = stream.snapshot?.findings ?? []
  if (fault === null && refusals.length === 0 && findings.length === 0) return none
  return [
    ...(fault === null ? [] : [{ code: 'WEFT_XDS_REFUSED' as const, origin: null, message: fault }]),
    ...refusals.flatMap(refusalIssues),
    ...findingIssues(findings),
  ]
}

function isPending({ fault, stream }: Plane, revision: number, answered = stream.answeredRevision): boolean {
  return fault === null && answered < revision
}
