/**
 * Who has which roots: those who follow them over gRPC, and data planes that are given them by SDS, here and at the other
 * replicas. A rotation asks here whether everybody trusts the new root.
 *
 * Invariant: who was at any replica and is away may still have certificates, so it counts as waiting until a life of one
 * has gone by.
 */
import { createHash } from 'node:crypto'
import * as z from 'zod'
import type { Replicas } from '../store/replicas.js'

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
  /** Null: this is the only one. */
  replicas: Replicas | null
  /** How long one that is away is waited for. */
  leafMs: number
  /** Monotonic. */
  nowMs: () => number
}

/** What one replica tells the others: who is there, and who has not taken these roots. */
const report = z.object({ roots: z.string(), waiting: z.array(z.string()), here: z.array(z.string()) })
const reportPart = 'roots'

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
    const others = this.others()
    for (const node of [...here.map(({ node }) => node), ...others.flatMap((other) => other.here)])
      this.seenMs.set(node, now)
    const away: string[] = []
    for (const [node, seenMs] of this.seenMs) {
      if (now - seenMs > this.options.leafMs) this.seenMs.delete(node)
      else if (seenMs !== now) away.push(`${node} (away)`)
    }
    return [...late(here), ...others.flatMap(({ waiting }) => waiting), ...away]
  }

  /** Tells the other replicas; to be called regularly. */
  report(): void {
    const here = this.list()
    const told = { roots: this.mark(), waiting: late(here), here: here.map(({ node }) => node) }
    this.options.replicas?.tell(reportPart, told satisfies z.output<typeof report>)
  }

  /** What the other replicas tell. One that has not heard of the present roots speaks for none of its followers. */
  private others(): { waiting: string[]; here: string[] }[] {
    const mark = this.mark()
    return [...(this.options.replicas?.told() ?? [])].flatMap(([replica, parts]) => {
      const { data } = report.safeParse(parts.get(reportPart))
      if (data === undefined) return []
      return { here: data.here, waiting: data.roots === mark ? data.waiting : [`replica ${replica}`] }
    })
  }

  private send(stream: Stream, told: RootsTold): void {
    // One that does not read is told when it does: the latest then.
    if (stream.sent !== told.version && stream.write(told)) stream.sent = told.version
  }

  /** The same at all replicas that know the same roots; lists of what is revoked are signed by each for itself. */
  private mark(): string {
    return createHash('sha256').update(this.options.current().roots).digest('hex').slice(0, 16)
  }

  private told(): RootsTold {
    const { roots, revoked } = this.options.current()
    const version = createHash('sha256').update(roots).update(revoked).digest('hex').slice(0, 16)
    return { version, roots, revoked }
  }
}

function late(followers: readonly Follower[]): string[] {
  return followers.filter(({ taken }) => !taken).map(({ node }) => node)
}
