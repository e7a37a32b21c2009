/**
 * Who has which roots: those who follow them over gRPC, and data planes that are given them by SDS. A rotation asks here
 * whether everybody trusts the new root.
 *
 * Invariant: who was here and is away may still have certificates, so it counts as waiting until a life of one has gone
 * by.
 */
import { createHash } from 'node:crypto'

export interface RootsTold {
  version: string
  /** PEM. */
  roots: string
  revoked: string
}

/** One who was told the roots. */
export interface Follower {
  node: string
  taken: boolean
}

export interface RootsFollowersOptions {
  current: () => { roots: string; revoked: string }
  /** Data planes, by SDS. */
  dataPlanes: () => readonly Follower[]
  /** How long one that is away is waited for. */
  leafMs: number
  /** Monotonic. */
  nowMs: () => number
}

interface Stream {
  node: string
  sent: string
  taken: string
  /** Whether it was written: a stream that is full takes nothing now. */
  write: (told: RootsTold) => boolean
}

export class RootsFollowers {
  private readonly options: RootsFollowersOptions
  private readonly streams = new Set<Stream>()
  private readonly seenMs = new Map<string, number>()

  constructor(options: RootsFollowersOptions) {
    this.options = options
  }

  follow(node: string, write: Stream['write']) {
    const stream: Stream = { node, sent: '', taken: '', write }
    this.streams.add(stream)
    this.send(stream, this.told())
    return {
      taken: (version: string) => {
        stream.taken = version
      },
      drained: () => this.send(stream, this.told()),
      end: () => void this.streams.delete(stream),
    }
  }

  /** After each change of roots or revocations. */
  tell(): void {
    const told = this.told()
    for (const stream of this.streams) this.send(stream, told)
  }

  list(): Follower[] {
    const { version } = this.told()
    const streams = [...this.streams].map(({ node, taken }) => ({ node, taken: taken === version }))
    return [...this.options.dataPlanes(), ...streams]
  }

  /** Who has not taken the present roots; to be asked regularly, because it notes who is here. */
  waiting(): string[] {
    const now = this.options.nowMs()
    const here = this.list()
    for (const { node } of here) this.seenMs.set(node, now)
    const away: string[] = []
    for (const [node, seenMs] of this.seenMs) {
      if (now - seenMs > this.options.leafMs) this.seenMs.delete(node)
      else if (seenMs !== now) away.push(`${node} (away)`)
    }
    return [...here.filter(({ taken }) => !taken).map(({ node }) => node), ...away]
  }

  private send(stream: Stream, told: RootsTold): void {
    // One that does not read is told when it does: the latest then.
    if (stream.sent !== told.version && stream.write(told)) stream.sent = told.version
  }

  private told(): RootsTold {
    const { roots, revoked } = this.options.current()
    const version = createHash('sha256').update(roots).update(revoked).digest('hex').slice(0, 16)
    return { version, roots, revoked }
  }
}
