import { expect, it } from 'vitest'
import { prepareApart } from '../../../src/proxy/prepare-apart.js'

it('a thread that cannot start is an error that a reload survives', async () => {
  // Beside the sources there is no bundled thread, as in an installation that was replaced under a running proxy.
  await expect(prepareApart('test/examples/minimal.yaml')).rejects.toMatchObject({
    name: 'WeftError',
    code: 'WEFT_CONFIG_UNPREPARED',
    message: expect.stringContaining('minimal.yaml'),
  })
})
