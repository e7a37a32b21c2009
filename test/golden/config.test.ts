/**
 * One folder, one case: `config.yaml` compiles to `snapshot.json`, or is refused with `issues.json`. The expectation is
 * written with `vitest -u` and read by a person before it is committed.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { decode } from 'msgpackr'
import { describe, expect, it } from 'vitest'
import { readConfig } from '../../src/config/read.js'
import type { Issue } from '../../src/errors.js'
import { compileSnapshot } from '../../src/proxy/compile-snapshot.js'
import { encodeSnapshot } from '../../src/proxy/encode-snapshot.js'

const folder = import.meta.dirname
const cases = readdirSync(folder).filter((name) => existsSync(join(folder, name, 'config.yaml')))

/** What the cases may name with `${…}`. */
const environment = { PORT: '9000', WORKERS: '2', HOST: '127.0.0.1', EMPTY: '', DIGITS: '0123', FLAG: 'true' }

/** With the file's place in the folder of its case. */
function told(issues: Issue[]): Issue[] {
  const within = (text: string) => text.replaceAll(`${folder}/`, '')
  return issues.map((issue) => ({
    ...issue,
    message: within(issue.message),
    ...(issue.file === undefined ? {} : { file: within(issue.file) }),
  }))
}

describe('a configuration file', () => {
  it.each(cases)('%s', async (name) => {
    const { config, issues } = await readConfig(join(folder, name, 'config.yaml'), { environment })
    const accepted = config !== null
    const result = accepted ? compileSnapshot(config, '/etc/weft/config.yaml') : told(issues)
    const expectation = join(folder, name, accepted ? 'snapshot.json' : 'issues.json')
    await expect(`${JSON.stringify(result, null, 2)}\n`).toMatchFileSnapshot(expectation)
    expect(existsSync(join(folder, name, accepted ? 'issues.json' : 'snapshot.json'))).toBe(false)
  })

  it('is the same after the bytes that the engine gets are decoded', async () => {
    const { config } = await readConfig(join(folder, 'every-setting', 'config.yaml'))
    if (config === null) throw new Error('the case must be valid')
    const snapshot = compileSnapshot(config, 'config.yaml')
    expect(decode(encodeSnapshot(snapshot))).toEqual(snapshot)
  })
})
