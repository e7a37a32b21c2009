import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { fetchKeys } from '../../../../src/control/key-sets/fetch-keys.js'

const keySet =
  '{"keys":[{"kty":"EC","crv":"P-256","x":"zVHttSZSjNLXJgus7ZO_cpPVpt_KErKFo2c3rNDcWcg","y":"zmU2xxAl02LURcPVawCgyWTOPmQORHGbVXrT4JNB8HY"}]}'
let server: Server
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

async function serve(answer: RequestListener): Promise<string> {
  server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const bound = () => AbortSignal.timeout(10_000)

describe('fetchKeys', () => {
  it('reads a key set', async () => {
    const url = await serve((_, response) => response.end(keySet))
    expect(JSON.parse(await fetchKeys(`${url}/keys`, bound()))).toEqual(JSON.parse(keySet))
  })

  it.each([
    ['an error', 'it answers 500', (_, response) => response.writeHead(500).end(keySet)],
    ['a redirect', 'it answers 302', (_, response) => response.writeHead(302, { location: '/elsewhere' }).end()],
    ['what has no end', 'larger than', (_, response) => void endless(response)],
    ['what is no key set', 'JSON Web Key Set', (_, response) => response.end('<html>')],
    ['a line that breaks', 'other side closed', (_, response) => response.writeHead(200).socket?.destroy()],
  ] satisfies [string, string, RequestListener][])('throws for %s', async (_, message, answer) => {
    const url = await serve(answer)
    await expect(fetchKeys(`${url}/keys`, bound())).rejects.toThrow(message)
  })

  it('gives up in time', async () => {
    const url = await serve(() => {})
    await expect(fetchKeys(`${url}/keys`, AbortSignal.timeout(50))).rejects.toThrow('no answer in time')
  })

  it('follows the discovery document of the issuer that was asked, and of no other', async () => {
    let document: object = {}
    const url = await serve((request, response) =>
      response.end(request.url === '/keys' ? keySet : JSON.stringify(document)),
    )
    const discover = () => fetchKeys(`${url}/.well-known/openid-configuration`, bound())
    document = { issuer: url, jwks_uri: `${url}/keys` }
    expect(await discover()).toContain('P-256')
    document = { issuer: 'https://elsewhere.example', jwks_uri: `${url}/keys` }
    await expect(discover()).rejects.toThrow('of the issuer "https://elsewhere.example"')
    document = { issuer: url }
    await expect(discover()).rejects.toThrow('no jwks_uri')
    document = { issuer: url, jwks_uri: 'file:///etc/passwd' }
    await expect(discover()).rejects.toThrow('not https')
  })
})

function endless(response: Parameters<RequestListener>[1]): void {
  while (response.write('a'.repeat(65_536)) && !response.destroyed);
  response.once('drain', () => endless(response))
}
