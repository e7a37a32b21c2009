/**
 * By a service-account token of a Kubernetes cluster (a projected one, for our audience), verified with the cluster's
 * keys; the cluster itself is not asked.
 */
import { readFileSync, statSync } from 'node:fs'
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { WeftError } from '../../../errors.js'
import { type Attested, demandSame, unproved, type Wanted } from './proof.js'

export interface KubernetesOptions {
  /** File with a JSON Web Key Set; read again when it has changed. */
  keys: string
  issuer: string
  audience: string
  clockSkewMs: number
  nowMs: () => number
}

/** No symmetric ones: the keys are public. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA']

export class KubernetesTokens {
  private readonly options: KubernetesOptions
  private read: { changedMs: number; keys: JWTVerifyGetKey } | null = null

  /** Throws `WEFT_CA_KEY` when the keys cannot be read. */
  constructor(options: KubernetesOptions) {
    this.options = options
    this.keys()
  }

  /** Throws `WEFT_CA_PROOF`. */
  async attest(token: string, wanted: Wanted): Promise<Attested> {
    const subject = await this.subjectOf(token)
    const [, namespace = '', account = ''] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(subject) ?? []
    if (account === '') throw unproved(`${JSON.stringify(subject)} is no service account`, project)
    return demandSame({ namespace, account, by: `kubernetes:${subject}` }, wanted)
  }

  private async subjectOf(token: string): Promise<string> {
    const { issuer, audience, clockSkewMs, nowMs } = this.options
    try {
      const { payload } = await jwtVerify(token, this.keys(), {
        ...{ issuer, audience, algorithms, requiredClaims: ['sub', 'exp'] },
        ...{ clockTolerance: clockSkewMs / 1_000, currentDate: new Date(nowMs()) },
      })
      return payload.sub ?? ''
    } catch (cause) {
      if (!(cause instanceof errors.JOSEError)) throw cause
      throw unproved(`the service-account token is not taken: ${cause.message}`, project)
    }
  }

  private keys(): JWTVerifyGetKey {
    const { keys: file } = this.options
    try {
      const changedMs = statSync(file).mtimeMs
      if (this.read?.changedMs !== changedMs) {
        const keys = createLocalJWKSet(JSON.parse(readFileSync(file, 'utf8')) as JSONWebKeySet)
        this.read = { changedMs, keys }
      }
      return this.read.keys
    } catch (cause) {
      // The last good ones stay in force.
      if (this.read !== null) return this.read.keys
      throw new WeftError('WEFT_CA_KEY', `${file} holds no keys of a cluster: ${(cause as Error).message}`, {
        path: 'authority.kubernetes.keys',
        hint: 'kubectl get --raw /openid/v1/jwks',
        cause,
      })
    }
  }
}

const project = 'project a token for the audience: serviceAccountToken: { audience: weft, path: token }'
