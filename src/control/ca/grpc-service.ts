/**
 * The authority over gRPC, beside xDS: certificates for requests, and the trusted roots for those who keep them in files.
 *
 * Invariants: whatever comes, it is answered with a status and a sentence; who follows the roots is told the latest only,
 * and one that does not read holds up nobody.
 */
import { create } from '@bufbuild/protobuf'
import type { Metadata, ServerDuplexStream, ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js'
import type { AuthContext } from '@grpc/grpc-js/build/src/auth-context.js'
import { type Code, WeftError } from '../../errors.js'
import { RateLimit } from '../access/rate-limit.js'
import { tooOften } from '../server/authenticate.js'
import {
  type IstioCertificateRequest,
  type IstioCertificateResponse,
  IstioCertificateResponseSchema,
} from '../xds/protos/istio/v1/auth/ca_pb.js'
import { type TrustTaken, type TrustTold, TrustToldSchema } from '../xds/protos/weft/v1/trust_pb.js'
import type { Attestor } from './attestation/attestor.js'
import type { Proof, Wanted } from './attestation/proof.js'
import { splitPem } from './chain.js'
import { certificateMethods, trustMethods } from './grpc-methods.js'
import type { Issuer } from './issuer.js'
import type { RootsFollowers } from './roots-followers.js'

export interface GrpcServiceOptions {
  attestor: Attestor
  issuer: Issuer
  followers: RootsFollowers
  /** For each identity. */
  requestsPerSecond: number
  /** Told of faults of ours. */
  fault: (message: string) => void
}

const statuses: Partial<Record<Code, number>> = {
  WEFT_CA_REQUEST: 3,
  WEFT_CA_PROOF: 16,
  WEFT_CA_STATE: 14,
  WEFT_ACCESS_RATE: 8,
}

/** What `Server.addService` takes. */
export function authorityServices(options: GrpcServiceOptions) {
  const perSecond = options.requestsPerSecond
  const rate = new RateLimit({ perSecond, burst: 2 * perSecond, nowMs: () => performance.now() })
  return [
    {
      definition: certificateMethods,
      handlers: {
        createCertificate: (
          call: ServerUnaryCall<IstioCertificateRequest, IstioCertificateResponse>,
          done: sendUnaryData<IstioCertificateResponse>,
        ) =>
          void certify(options, rate, call).then(
            (made) => done(null, made),
            (error) => done(failure(options, error)),
          ),
      },
    },
    {
      definition: trustMethods,
      handlers: { follow: (call: ServerDuplexStream<TrustTaken, TrustTold>) => follow(options, call) },
    },
  ]
}

type Caller = { metadata: Metadata; getPeer(): string; getAuthContext(): AuthContext }

async function certify(
  { attestor, issuer }: GrpcServiceOptions,
  rate: RateLimit,
  call: ServerUnaryCall<IstioCertificateRequest, IstioCertificateResponse>,
): Promise<IstioCertificateResponse> {
  const { csr, validityDuration, metadata } = call.request
  const wanted: Wanted = { namespace: text(metadata?.namespace), account: text(metadata?.account) }
  const attested = await attestor.attest(proofOf(call), wanted, addressOf(call))
  const name = `${attested.namespace}/${attested.account}`
  const waitMs = rate.take(name)
  if (waitMs > 0) throw tooOften(`${name} asks more often than it may`, waitMs)
  // In seconds, as Istio's agents ask; 0: as usual.
  const lastsMs = validityDuration > 0n ? Number(validityDuration) * 1_000 : null
  const { chain, root } = await issuer.sign(attested, csr, { by: attested.by, lastsMs })
  return create(IstioCertificateResponseSchema, { certChain: [...splitPem(chain), root] })
}

function follow(options: GrpcServiceOptions, call: ServerDuplexStream<TrustTaken, TrustTold>): void {
  const { attestor, followers } = options
  let end: (() => void) | null = null
  let taken: ((version: string) => void) | null = null
  let over = false
  const refuse = (error: unknown) => {
    over = true
    end?.()
    call.emit('error', failure(options, error))
  }
  const begin = async (node: string) => {
    const { namespace, account } = await attestor.attest(proofOf(call), wantedOf(call), addressOf(call))
    if (over) return
    const name = node === '' ? `${namespace}/${account}` : node.slice(0, 256)
    const follower = followers.follow(name, (told) => {
      if (call.writableNeedDrain) return false
      call.write(create(TrustToldSchema, told))
      return true
    })
    end = follower.end
    taken = follower.taken
    call.on('drain', follower.drained)
  }
  let first = true
  call.on('data', ({ node, version }: TrustTaken) => {
    if (first) void begin(node).catch(refuse)
    else taken?.(version)
    first = false
  })
  call.on('end', () => {
    over = true
    end?.()
    call.end()
  })
  for (const event of ['error', 'close', 'cancelled']) {
    call.on(event, () => {
      over = true
      end?.()
    })
  }
}

function proofOf(call: Caller): Proof {
  const [authorization] = call.metadata.get('authorization')
  return {
    certificate: call.getAuthContext().sslPeerCertificate ?? null,
    authorization: authorization?.toString() ?? null,
  }
}

/** A stream says in its metadata whom it means, where its proof leaves that open. */
function wantedOf({ metadata }: Caller): Wanted {
  const value = (name: string) => text(metadata.get(name)[0]?.toString())
  return { namespace: value('weft-namespace'), account: value('weft-account') }
}

function addressOf(call: Caller): string {
  return call.getPeer().replace(/:\d+$/, '')
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}

/** What grpc-js ends a call with. */
function failure({ fault }: GrpcServiceOptions, error: unknown): Error & { code: number; details: string } {
  const known = error instanceof WeftError
  if (!known) fault(`a certificate was not given by a fault: ${(error as Error).stack}`)
  const details = known ? [error.message, error.hint].filter(Boolean).join('; ') : 'a fault of the control plane'
  const code = known ? (statuses[error.code] ?? 13) : 13
  return Object.assign(new Error(details), { code, details })
}
