import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { ApiClient } from '../../../../src/control/client/api-client.js'

it('says that an answer is late while it waits for it', async () => {
  let answer: ServerResponse | null = null
  const server = createServer((_, response) => {
    answer = response
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  let said = 0
  const late = () => {
    said += 1
    answer?.end('{"items": []}')
  }
  const { port } = server.address() as AddressInfo
  const client = new ApiClient({ server: `http://127.0.0.1:${port}`, token: null, ca: null, late })
  try {
    expect(await client.get('/v1/check')).toEqual({ items: [] })
    expect(said).toBe(1)
  } finally {
    client.close()
    server.close()
  }
})
