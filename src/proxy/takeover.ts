/**
 * The change from one process to the next without a lost connection.
 *
 * The running process listens on a unix socket. Its successor, ready to serve, takes copies of the listening sockets
 * (through the engine: they travel beside the bytes), serves, and then asks the old one to give up the admin address
 * and to drain. Until it has asked for the drain it may die: the old process goes on as if nothing had been.
 *
 * Conversation, one line of JSON each: `{ask: sockets}` → the sockets; `{ask: admin}` → `{done}`;
 * `{ask: drain, pid}` → `{counts}` now and `{counts, ended}` when the last exchange is over.
 */
import { rename, rm, stat } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { WeftError } from '../errors.js'

/** How long one process waits for a word of the other. */
const patienceMs = 5_000

/** What the running process does for its successor. */
export interface Predecessor {
  /** Sends the listening sockets over the connection with this descriptor. */
  sendSockets(descriptor: number): void
  releaseAdmin(): Promise<void>
  /** The successor died before it asked for the drain. */
  resumeAdmin(): Promise<void>
  /** All that was counted so far, as the engine writes it. */
  counts(): string
  /** Begins the drain; resolves when the last exchange is over. */
  drain(successor: number): Promise<void>
}

export interface TakeoverDoor {
  /** Resolves when the successor, if there is one, has been told the last counts. */
  close(): Promise<void>
}

interface Ask {
  ask: 'sockets' | 'admin' | 'drain'
  pid?: number
}

interface Told {
  counts?: string
  ended?: boolean
}

/** Waits at `path` for a successor. A door that was there belongs to a process that is dead or has been taken over. */
export async function openTakeoverDoor(path: string, predecessor: Predecessor): Promise<TakeoverDoor> {
  const conversations = new Set<Conversation>()
  const door = createServer((socket) => {
    const conversation = new Conversation(socket, predecessor)
    conversations.add(conversation)
    socket.once('close', () => conversations.delete(conversation))
  })
  const fresh = `${path}.${process.pid}`
  await rm(fresh, { force: true })
  await new Promise<void>((resolve, reject) => {
    door.once('error', reject)
    door.listen(fresh, resolve)
  })
  await rename(fresh, path)
  const { ino } = await stat(path)
  // The process does not live for its door.
  door.unref()
  return {
    async close() {
      door.close()
      await Promise.all([...conversations].map((conversation) => conversation.over()))
      // The path may be the successor's by now.
      const now = await stat(path).catch(() => null)
      if (now?.ino === ino) await rm(path, { force: true })
    },
  }
}

class Conversation {
  private readonly socket: Socket
  private readonly predecessor: Predecessor
  private released = false
  private draining: Promise<void> | null = null

  constructor(socket: Socket, predecessor: Predecessor) {
    this.socket = socket
    this.predecessor = predecessor
    socket.on('error', () => {})
    socket.on('close', () => {
      if (this.released && this.draining === null) void predecessor.resumeAdmin()
    })
    createInterface({ input: socket }).on('line', (line) => void this.answer(line).catch(() => socket.destroy()))
  }

  /** Resolves when a successor that asked for the drain has been told its end; at once when none did. */
  async over(): Promise<void> {
    await this.draining
    this.socket.destroy()
  }

  private async answer(line: string): Promise<void> {
    const { ask, pid } = JSON.parse(line) as Ask
    if (ask === 'sockets') this.predecessor.sendSockets(descriptorOf(this.socket))
    else if (ask === 'admin') {
      this.released = true
      await this.predecessor.releaseAdmin()
      await this.tell({})
    } else if (ask === 'drain') {
      this.draining = this.drain(pid ?? 0)
      await this.draining
    } else this.socket.destroy()
  }

  private async drain(successor: number): Promise<void> {
    const drained = this.predecessor.drain(successor)
    await this.tell({ counts: this.predecessor.counts() })
    await drained
    await this.tell({ counts: this.predecessor.counts(), ended: true })
  }

  /** Resolves when it is written, or cannot be. */
  private tell(told: Told): Promise<void> {
    return new Promise((resolve) => this.socket.write(`${JSON.stringify(told)}\n`, () => resolve()))
  }
}

/** Node has no word for the descriptor of a connection; the handle has. */
function descriptorOf(socket: Socket): number {
  const { fd } = (socket as unknown as { _handle: { fd: number } })._handle
  return fd
}

/** The old process, as its successor sees it. */
export class Succession {
  private readonly socket: Socket
  private readonly told: AsyncIterator<string>

  private constructor(socket: Socket) {
    this.socket = socket
    this.told = createInterface({ input: socket })[Symbol.asyncIterator]()
  }

  static async begin(path: string): Promise<Succession> {
    const socket = connect(path)
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', (cause) => reject(failure('cannot be reached', cause)))
    })
    socket.on('error', () => {})
    socket.unref()
    return new Succession(socket)
  }

  /** The old process has closed its admin server. */
  async releaseAdmin(): Promise<void> {
    this.ask({ ask: 'admin' })
    await this.next(patienceMs)
  }

  /** The old process drains; resolves with what it had counted when it began to. */
  async drain(): Promise<string> {
    this.ask({ ask: 'drain', pid: process.pid })
    return (await this.next(patienceMs)).counts ?? ''
  }

  /** Its last counts, or `null` when it died before it could tell. */
  async ended(): Promise<string | null> {
    return this.next(null).then(
      ({ counts }) => counts ?? null,
      () => null,
    )
  }

  close(): void {
    this.socket.destroy()
  }

  private ask(ask: Ask): void {
    this.socket.write(`${JSON.stringify(ask)}\n`)
  }

  private async next(withinMs: number | null): Promise<Told> {
    const silence = withinMs === null ? null : setTimeout(() => this.socket.destroy(), withinMs)
    const { value, done } = await this.told.next()
    if (silence !== null) clearTimeout(silence)
    if (done) throw failure('ended or fell silent', null)
    return JSON.parse(value) as Told
  }
}

function failure(what: string, cause: unknown): WeftError {
  return new WeftError('WEFT_TAKEOVER_FAILED', `the process that is to be taken over ${what}`, {
    hint: 'look at its log; without --takeover a new process starts once the old one has ended',
    cause,
  })
}
