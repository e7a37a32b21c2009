/** An upstream on a free port that answers with what it was asked. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Upstream {
  address: string
  /** Requests for `/held` wait until this is called. */
  release(): void
  /** Resolves when a request for `/held` has arrived. */
  held: Promise<void>
  close(): void
}

export async function startUpstream(): Promise<Upstream> {
  let release = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  let arrived = () => {}
  const held = new Promise<void>((resolve) => {
    arrived = resolve
  })
  const service = createServer(async (request, response) => {
    if (request.url === '/held') {
      arrived()
      await released
    }
    echo(request, response)
  })
  service.keepAliveTimeout = 60_000
  service.listen(0, '127.0.0.1')
  await once(service, 'listening')
  return { address: addressOf(service), release, held, close: () => closeNow(service) }
}

function echo(request: IncomingMessage, response: ServerResponse): void {
  const { method, url, headers } = request
  response.writeHead(200, { 'content-type': 'text/plain', 'x-asked': `${method} ${url}`, 'x-via': headers.via ?? '' })
  request.pipe(response)
}

function addressOf(service: Server): string {
  return `127.0.0.1:${(service.address() as AddressInfo).port}`
}

function closeNow(service: Server): void {
  service.close()
  service.closeAllConnections()
}
