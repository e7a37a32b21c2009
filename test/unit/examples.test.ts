import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { prepareFile } from '../../src/proxy/prepare.js'

describe('an example', () => {
  it.each(readdirSync('test/examples'))('%s works as it stands', async (name) => {
    const { plan, snapshot } = await prepareFile(`test/examples/${name}`)
    expect(plan.listeners.length).toBeGreaterThan(0)
    expect(snapshot.length).toBeGreaterThan(0)
  })
})
