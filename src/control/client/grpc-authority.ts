/**
 * The authority over gRPC: a request is proved by the certificate that is there already, or by a token when there is
 * none or it is not taken.
 */
import { create } from '@bufbuild/protobuf'
import { type ChannelCredentials, Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { WeftError } from '../../errors.js'
import { certificateMethods, trustMethods } from '../ca/grpc-methods.js'
import { IstioCertificateRequestSchema, type IstioCertificateResponse } from '../xds/protos/istio/v1/auth/ca_pb.js'
import { type TrustTaken, TrustTakenSchema, type TrustTold } from '../xds/protos/weft/v1/trust_pb.js'
import type { Authority, Bundle, Pair, Received } from './authority.js'

export interface GrpcAuthorityOptions {
  /** `host:port`. */
  address: string
  /** PEM: who signs the server's certificate; null: the connection is plain. */
  ca: string | null
  /** Read each time, because such files are renewed; null: there is none. */
  token: () => string | null
  namespace: string | null
  account: string | null
  /** Name of whoever follows the roots, for people. */
  node: string
  say: (message: string) => void
}

const deadlineMs = 10_000
const retryMs = 1_000

export class GrpcAuthority implements Authority {
  private readonly options: GrpcAuthorityOptions

  constructor(options: GrpcAuthorityOptions) {
    this.options = options
  }

  async certify(request: string, own: Pair | null): Promise<Received> {
    const { namespace, account } = this.options
    const metadata = { ...(namespace !== null && { namespace }), ...(account !== null && { account }) }
    const message = create(IstioCertificateRequestSchema, { csr: request, metadata })
    const { path, requestSerialize, responseDeserialize } = certificateMethods.createCertificate
    const asked = (pair: Pair | null) =>
      this.withClient(pair, (client, proof) => {
        return new Promise<IstioCertificateResponse>((resolve, reject) => {
          const deadline = Date.now() + deadlineMs
          client.makeUnaryRequest(
            path,
            requestSerialize,
            responseDeserialize,
            message,
            proof,
            { deadline },
            (error, answer) => {
              if (error !== null || answer === undefined) reject(error)
              else resolve(answer)
            },
          )
        })
      })
    const answer = await asked(own).catch((error: ServiceError) => {
      // What it has is not taken any more: a token proves it anew.
      if (own === null || this.options.token() === null) throw this.failure(error)
      return asked(null).catch((again: ServiceError) => Promise.reject(this.failure(again)))
    })
    return { chain: answer.certChain.slice(0, -1).join(''), bundle: null }
  }

  follow(own: () => Pair | null, take: (bundle: Bundle) => Promise<void>): () => void {
    let over = false
    let endOne: () => void = () => {}
    let timer: NodeJS.Timeout | undefined
    let said = ''
    const again = (why: string) => {
      if (over) return
      if (why !== said) this.options.say(`the trusted roots are not told: ${why}`)
      said = why
      timer = setTimeout(begin, retryMs * (0.5 + Math.random()))
    }
    const begin = () => {
      endOne = this.followOnce(
        own(),
        take,
        () => {
          said = ''
        },
        again,
      )
    }
    begin()
    return () => {
      over = true
      clearTimeout(timer)
      endOne()
    }
  }

  private followOnce(
    own: Pair | null,
    take: (bundle: Bundle) => Promise<void>,
    told: () => void,
    ended: (why: string) => void,
  ) {
    const { path, requestSerialize, responseDeserialize } = trustMethods.follow
    const client = new Client(this.options.address, this.credentials(own), { 'grpc.keepalive_time_ms': 30_000 })
    const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, this.proof(own))
    let over = false
    const end = (why: string | null) => {
      if (over) return
      over = true
      call.cancel()
      client.close()
      if (why !== null) ended(why)
    }
    call.on('data', ({ version, roots, revoked }: TrustTold) => {
      told()
      take({ roots, revoked }).then(
        () => {
          if (!over) call.write(create(TrustTakenSchema, { version }))
        },
        (error: Error) => end(error.message),
      )
    })
    call.on('error', (error: ServiceError) => end(error.details === '' ? error.message : error.details))
    call.on('end', () => end('the control plane ended the stream'))
    call.write(create(TrustTakenSchema, { node: this.options.node }) satisfies TrustTaken)
    return () => end(null)
  }

  private async withClient<Answer>(
    own: Pair | null,
    run: (client: Client, proof: Metadata) => Promise<Answer>,
  ): Promise<Answer> {
    const client = new Client(this.options.address, this.credentials(own))
    try {
      return await run(client, this.proof(own))
    } finally {
      client.close()
    }
  }

  private credentials(own: Pair | null): ChannelCredentials {
    const { ca } = this.options
    if (ca === null) return credentials.createInsecure()
    const [key, certificate] = own === null ? [null, null] : [Buffer.from(own.key), Buffer.from(own.certificate)]
    return credentials.createSsl(Buffer.from(ca), key, certificate)
  }

  /** A certificate shows itself; where there is no TLS it cannot. */
  private proof(own: Pair | null): Metadata {
    const metadata = new Metadata()
    const { namespace, account } = this.options
    if (namespace !== null) metadata.set('weft-namespace', namespace)
    if (account !== null) metadata.set('weft-account', account)
    const token = this.options.token()
    if (token !== null && (own === null || this.options.ca === null)) metadata.set('authorization', `Bearer ${token}`)
    return metadata
  }

  private failure({ code, details, message }: ServiceError): WeftError {
    const text = details === '' ? message : details
    if (code === status.UNAUTHENTICATED) return new WeftError('WEFT_CA_PROOF', text)
    if (code === status.INVALID_ARGUMENT) return new WeftError('WEFT_CA_REQUEST', text)
    if (code === status.RESOURCE_EXHAUSTED) return new WeftError('WEFT_ACCESS_RATE', text)
    return new WeftError('WEFT_CLIENT_UNREACHABLE', `no certificate from ${this.options.address}: ${text}`, {
      hint: 'the port of the data planes is meant (weft control --xds), with --control-ca where it speaks TLS',
    })
  }
}
