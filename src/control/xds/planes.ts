/** The data planes that are connected: each with its stream, kept up to date with the mesh, and what it says. */
import { EventEmitter, once } from 'node:events'
import type { CertificateSource } from '../certificate-source.js'
import type { Mesh } from '../compile/mesh.js'
import type { MeshNode } from '../compile/node.js'
import { buildSnapshot } from './snapshot.js'
import { type Wire, XdsStream } from './stream.js'
import { findingIssues, refusalIssues, type Verdict } from './verdicts.js'

export interface Plane {
  node: MeshNode
  stream: XdsStream
  connectedAtMs: number
  /** What it refused last, in its own words; null: nothing yet. */
  lastRefusal: string | null
}

/** The loop goes round after so many milliseconds of compiling, so that answers are read while others are told. */
const sliceMs = 20

export class Planes {
  readonly all = new Set<Plane>()
  private readonly events = new EventEmitter().setMaxListeners(0)
  private readonly certificates: CertificateSource
  private readonly now: () => number
  private mesh: Mesh
  private telling = false

  constructor(mesh: Mesh, certificates: CertificateSource, now: () => number) {
    this.mesh = mesh
    this.certificates = certificates
    this.now = now
  }

  connect(node: MeshNode, wire: Wire): Plane {
    const stream = new XdsStream(wire, {
      refused: (_, __, message) => {
        plane.lastRefusal = message
      },
      settled: () => this.events.emit('settled'),
    })
    const plane: Plane = { node, stream, connectedAtMs: this.now(), lastRefusal: null }
    this.all.add(plane)
    stream.update(buildSnapshot(this.mesh, node, this.certificates))
    return plane
  }

  disconnect(plane: Plane): void {
    this.all.delete(plane)
    this.events.emit('settled')
  }

  /** Calls back when one came, went or has answered; the returned function ends it. */
  onChange(listener: () => void): () => void {
    this.events.on('settled', listener)
    return () => this.events.off('settled', listener)
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
    let began = this.now()
    for (const plane of [...this.all]) {
      if (!this.all.has(plane)) continue
      plane.stream.update(buildSnapshot(mesh, plane.node, this.certificates))
      if (this.now() - began < sliceMs) continue
      await new Promise((resolve) => setImmediate(resolve))
      began = this.now()
    }
  }

  verdicts(revision: number): Verdict[] {
    return [...this.all].map(({ node, stream }): Verdict => {
      const { snapshot } = stream
      const issues = [...stream.refusals().flatMap(refusalIssues), ...findingIssues(snapshot?.findings ?? [])]
      const answered = stream.isSettled ? (snapshot?.revision ?? 0) : 0
      const state = answered < revision ? 'pending' : issues.length > 0 ? 'refused' : 'applied'
      const { id, plane, service, namespace } = node
      return { node: id, plane, service, namespace, state, revision: answered, issues }
    })
  }

  /** Resolves when every data plane that is connected has answered for the revision, or with what there is at the bound. */
  async settled(revision: number, signal: AbortSignal): Promise<Verdict[]> {
    for (;;) {
      const verdicts = this.verdicts(revision)
      if (verdicts.every(({ state }) => state !== 'pending')) return verdicts
      try {
        await once(this.events, 'settled', { signal })
      } catch {
        return this.verdicts(revision)
      }
    }
  }
}
