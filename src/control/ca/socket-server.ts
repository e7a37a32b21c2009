/**
 * A Unix socket at which processes of this machine ask for their certificate without a secret: `POST /v1/certificate`
 * with `{csr}`, answered with `{chain, roots, revoked}`; `GET /v1/roots` tells the last two alone.
 *
 * Invariant: whoever is at the other end is known by the kernel's word alone; the socket is open to all users, because
 * what it gives each depends on who it is.
 */
import { chmodSync, rmSync, statSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import * as z from 'zod'
import { WeftError } from '../../errors.js'
import { RateLimit } from '../access/rate-limit.js'
import { tooOften } from '../server/authenticate.js'
import { failureOf, unforeseen } from '../server/failure.js'
import { readBody } from '../server/read-body.js'
import { attestProcess, executableOf, type ProcessRule, readPeer } from './attestation/process.js'
import { splitPem } from './chain.js'
import type { Issuer } from './issuer.js'

export interface SocketServerOptions {
  path: string
  rules: readonly ProcessRule[]
  issuer: Issuer
  current: () => { roots: string; revoked: string }
  denied: (who: string, why: string) => void
  fault: (message: string) => void
}

const asked = z.strictObject({
  csr: z.string().max(16_384),
  namespace: z.string().max(63).nullable().default(null),
  account: z.string().max(63).nullable().default(null),
})
const maxBodyBytes = 65_536

/** Throws `WEFT_CONTROL_ADDRESS`. */
export async function startSocketServer(options: SocketServerOptions): Promise<{ close(): Promise<void> }> {
  const { path } = options
  await removeStale(path)
  const rate = new RateLimit({ perSecond: 20, burst: 100, nowMs: () => performance.now() })
  const server = createServer((request, response) => void serve(options, rate, request, response))
  server.requestTimeout = 10_000
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(unusable(path, cause.message, cause)))
    server.listen(path, resolve)
  })
  chmodSync(path, 0o666)
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function serve(
  options: SocketServerOptions,
  rate: RateLimit,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const answer = (status: number, body: unknown) => {
    response.writeHead(status, {
      'content-type': 'application/json',
      ...(!request.complete && { connection: 'close' }),
    })
    response.end(`${JSON.stringify(body)}\n`)
  }
  try {
    answer(200, await certify(options, rate, request))
  } catch (error) {
    const known = error instanceof WeftError
    if (!known) options.fault(`a certificate was not given by a fault: ${(error as Error).stack}`)
    const { status, body } = failureOf(known ? error : unforeseen(), request.url ?? '/')
    answer(status, body)
  }
}

async function certify(
  { rules, issuer, current, denied }: SocketServerOptions,
  rate: RateLimit,
  request: IncomingMessage,
) {
  // Before anything is read: the process may end meanwhile and its number go to another.
  const peer = readPeer(request.socket)
  const executable = executableOf(peer)
  const waitMs = rate.take(String(peer.uid))
  if (waitMs > 0) throw tooOften(`user ${peer.uid} asks more often than it may`, waitMs)
  if (request.method === 'GET' && request.url === '/v1/roots') return current()
  if (request.method !== 'POST' || request.url !== '/v1/certificate') {
    throw new WeftError('WEFT_API_NOT_FOUND', 'here are POST /v1/certificate and GET /v1/roots alone')
  }
  const parsed = asked.safeParse(await readBody(request, maxBodyBytes))
  if (!parsed.success)
    throw new WeftError('WEFT_API_REQUEST', `the body is not as it must be: ${parsed.error.issues[0]?.message}`)
  const { csr, ...wanted } = parsed.data
  try {
    const attested = attestProcess(rules, peer, executable, wanted)
    const { chain } = await issuer.sign(attested, csr, { by: attested.by, lastsMs: null })
    return { chain: splitPem(chain).join(''), ...current() }
  } catch (error) {
    if (error instanceof WeftError && error.code === 'WEFT_CA_PROOF') denied(`uid ${peer.uid}`, error.message)
    throw error
  }
}

/** What a process that was killed has left; a living one's is not taken away. */
async function removeStale(path: string): Promise<void> {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket()) throw unusable(path, 'something else lies there')
  const alive = await new Promise<boolean>((resolve) => {
    const probe = connect(path, () => {
      probe.destroy()
      resolve(true)
    }).once('error', () => resolve(false))
  })
  if (alive) throw unusable(path, 'another process listens there')
  rmSync(path, { force: true })
}

function unusable(path: string, why: string, cause?: unknown): WeftError {
  return new WeftError('WEFT_CONTROL_ADDRESS', `cannot listen on ${path}: ${why}`, { path: 'authority.socket', cause })
}
