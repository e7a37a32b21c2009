/** The control plane in a program of one's own, by the package's public interface. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { ApiClient } from '../../../src/control/client/api-client.js'
import { type ControlPlane, startControlPlane } from '../../../src/index.js'
import { removeScratch, scratchFolder } from '../../kit/scratch.js'

let control: ControlPlane | null = null
afterEach(async () => {
  await control?.close()
  removeScratch()
})

describe('startControlPlane', () => {
  it('serves the API and data planes until it is closed', async () => {
    const data = scratchFolder()
    control = await startControlPlane({ data, listen: '127.0.0.1:0', xds: { listen: '127.0.0.1:0' } })
    expect(control.xdsAddress).toMatch(/^127\.0\.0\.1:[1-9]\d*$/)
    const token = readFileSync(join(data, 'admin.token'), 'utf8').trim()
    const client = new ApiClient({ server: control.url, token, ca: null })
    expect(await client.get('/v1/status')).toMatchObject({ resources: 0, dataPlanes: [] })
    client.close()
    await control.close()
    const again = await startControlPlane({ data, listen: '127.0.0.1:0', xds: { listen: '127.0.0.1:0' } })
    expect(again.store.revision()).toBe(1)
    await again.close()
    control = null
  })

  it('says everything that is wrong with its configuration', async () => {
    await expect(startControlPlane({ data: '', listen: 'nowhere' })).rejects.toMatchObject({
      code: 'WEFT_CONFIG_INVALID',
      issues: [expect.objectContaining({ path: 'data' }), expect.objectContaining({ path: 'listen' })],
    })
  })
})
