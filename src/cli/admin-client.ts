/** Asks the admin server of a running proxy. */
import { request as begin } from 'node:http'
import { WeftError } from '../errors.js'

export const defaultAdmin = '127.0.0.1:15000'

/** A proxy whose main thread does not answer by then is not worth waiting for. */
const patienceMs = 5_000

export interface AdminAnswer {
  status: number
  body: string
}

/** `address` is `host:port` or that behind `http://`. Throws `WEFT_ADMIN_UNREACHABLE` when nobody answers there. */
export function askAdmin(address: string, path: string, method: 'GET' | 'POST' = 'GET'): Promise<AdminAnswer> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) => reject(unreachable(address, cause))
    const base = `http://${address.replace(/^http:\/\//, '').replace(/\/+$/, '')}`
    if (!URL.canParse(base)) return fail(new Error('not an address'))
    const request = begin(`${base}${path}`, { method, timeout: patienceMs }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', fail)
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
      )
    })
    request.on('timeout', () => request.destroy(new Error(`no answer within ${patienceMs / 1000} s`)))
    request.on('error', fail)
    request.end()
  })
}

function unreachable(address: string, cause: Error): WeftError {
  return new WeftError('WEFT_ADMIN_UNREACHABLE', `no admin server answers at ${address}: ${cause.message}`, {
    hint: 'name it with --admin; a proxy has one when its configuration says `admin: { address: … }`',
    cause,
  })
}
