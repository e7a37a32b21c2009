/** An issuer of tokens: keys, tokens signed with them, and the set of its public keys, also over HTTP. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, type GenerateKeyPairResult, generateKeyPair, type JWTPayload, SignJWT } from 'jose'

type Algorithm = 'ES256' | 'RS256'

export interface Signed {
  /** Seconds from now; negative: it is over. */
  expiresIn?: number
  audience?: string | string[]
}

export class TokenIssuer {
  readonly url: string
  private algorithm: Algorithm
  private key: GenerateKeyPairResult['privateKey'] | null = null
  private publicKeys: object[] = []

  private constructor(url: string, algorithm: Algorithm) {
    this.url = url
    this.algorithm = algorithm
  }

  static async create(url: string, algorithm: Algorithm = 'ES256'): Promise<TokenIssuer> {
    const issuer = new TokenIssuer(url, algorithm)
    await issuer.rotate()
    return issuer
  }

  /** A new key signs from now on, and is the only one that is shown. */
  async rotate(): Promise<void> {
    const { privateKey, publicKey } = await generateKeyPair(this.algorithm)
    this.key = privateKey
    const kid = `${this.algorithm}-${performance.now()}`
    this.publicKeys = [{ ...(await exportJWK(publicKey)), kid, alg: this.algorithm, use: 'sig' }]
  }

  get keySet(): string {
    return JSON.stringify({ keys: this.publicKeys })
  }

  async token(claims: JWTPayload = {}, { expiresIn = 600, audience }: Signed = {}): Promise<string> {
    if (this.key === null) throw new Error('no key yet')
    const now = Math.floor(Date.now() / 1000)
    const token = new SignJWT({ sub: 'alice', ...claims })
      .setProtectedHeader({ alg: this.algorithm })
      .setIssuer(this.url)
      .setIssuedAt(now - 1000)
      .setExpirationTime(now + expiresIn)
    return (audience === undefined ? token : token.setAudience(audience)).sign(this.key)
  }
}

/** Answers with what the test says, and counts. */
export class KeyServer {
  requests = 0
  answer: { status: number; body: string }
  private readonly server: Server

  private constructor(body: string) {
    this.answer = { status: 200, body }
    this.server = createServer((_, response) => {
      this.requests += 1
      response.writeHead(this.answer.status, { 'content-type': 'application/json' }).end(this.answer.body)
    })
  }

  static async start(body: string): Promise<KeyServer> {
    const server = new KeyServer(body)
    server.server.listen(0, '127.0.0.1')
    await once(server.server, 'listening')
    return server
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/keys`
  }

  async close(): Promise<void> {
    this.server.closeAllConnections()
    this.server.close()
    await once(this.server, 'close')
  }
}
