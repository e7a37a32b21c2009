/**
 * One folder, one case: `config.yaml` compiles to `snapshot.json`, or is refused with `issues.json`. The expectation is
 * written with `vitest -u` and read by a person before it is committed.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { decode } from 'msgpackr'
import { describe, expect, it } from 'vitest'
import { lineFinder, loadFile } from '../../src/config/load.js'
import { validate } from '../../src/config/validate.js'
import { compileSnapshot } from '../../src/proxy/compile-snapshot.js'
import { encodeSnapshot } from '../../src/proxy/encode-snapshot.js'

const folder = import.meta.dirname
const cases = readdirSync(folder).filter((name) => existsSync(join(folder, name, 'config.yaml')))

describe('a configuration file', () => {
  it.each(cases)('%s', async (name) => {
    const { text, value } = await loadFile(join(folder, name, 'config.yaml'))
    const { config, issues } = validate(value, await lineFinder(text))
    const accepted = config !== null
    const result = accepted ? compileSnapshot(config, '/etc/weft/config.yaml') : issues
    const expectation = join(folder, name, accepted ? 'snapshot.json' : 'issues.json')
    await expect(`${JSON.stringify(result, null, 2)}\n`).toMatchFileSnapshot(expectation)
    expect(existsSync(join(folder, name, accepted ? 'issues.json' : 'snapshot.json'))).toBe(false)
  })

  it('is the same after the bytes that the engine gets are decoded', async () => {
    const { value } = await loadFile(join(folder, 'every-setting', 'config.yaml'))
    const { config } = validate(value)
    if (config === null) throw new Error('the case must be valid')
    const snapshot = compileSnapshot(config, 'config.yaml')
    expect(decode(encodeSnapshot(snapshot))).toEqual(snapshot)
  })
})
