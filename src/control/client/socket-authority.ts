/** The authority at a Unix socket of this machine: the kernel says who asks, so nothing is shown. */
import { request as send } from 'node:http'
import { type Code, WeftError } from '../../errors.js'
import type { Authority, Bundle, Received } from './authority.js'

export interface SocketAuthorityOptions {
  path: string
  namespace: string | null
  account: string | null
  say: (message: string) => void
}

const timeoutMs = 10_000
/** The socket tells nobody of changes, so it is asked. */
const lookMs = 5_000

export class SocketAuthority implements Authority {
  private readonly options: SocketAuthorityOptions

  constructor(options: SocketAuthorityOptions) {
    this.options = options
  }

  async certify(request: string): Promise<Received> {
    const { namespace, account } = this.options
    const answer = await this.ask('POST', '/v1/certificate', { csr: request, namespace, account })
    const { chain, roots, revoked } = answer as { chain: string } & Bundle
    return { chain, bundle: { roots, revoked } }
  }

  follow(_own: unknown, take: (bundle: Bundle) => Promise<void>): () => void {
    let last = ''
    const look = async () => {
      try {
        const bundle = (await this.ask('GET', '/v1/roots', null)) as Bundle
        const text = bundle.roots + bundle.revoked
        if (text !== last) await take(bundle)
        last = text
      } catch (error) {
        this.options.say(`the trusted roots are not told: ${(error as Error).message}`)
      }
    }
    const timer = setInterval(() => void look(), lookMs)
    return () => clearInterval(timer)
  }

  private ask(method: string, path: string, body: unknown): Promise<unknown> {
    const { path: socketPath } = this.options
    return new Promise((resolve, reject) => {
      const headers = body === null ? {} : { 'content-type': 'application/json' }
      const sent = send({ socketPath, method, path, headers, timeout: timeoutMs }, async (response) => {
        const chunks: Buffer[] = []
        for await (const chunk of response) chunks.push(chunk as Buffer)
        try {
          const answer = JSON.parse(Buffer.concat(chunks).toString()) as { code: Code; message: string; hint: string }
          if (response.statusCode === 200) resolve(answer)
          else reject(new WeftError(answer.code, answer.message, { hint: answer.hint }))
        } catch (cause) {
          reject(this.unreachable(cause as Error))
        }
      })
      sent.once('timeout', () => sent.destroy(new Error(`no answer in ${timeoutMs} ms`)))
      sent.once('error', (cause) => reject(this.unreachable(cause)))
      sent.end(body === null ? undefined : JSON.stringify(body))
    })
  }

  private unreachable(cause: Error): WeftError {
    const message = `no certificate from ${this.options.path}: ${cause.message}`
    return new WeftError('WEFT_CLIENT_UNREACHABLE', message, {
      hint: 'see authority.socket of the control plane',
      cause,
    })
  }
}
