/**
 * One folder of `test/golden/explain`, one case: `request.json` is asked about a configuration, its own `config.yaml` or the one
 * beside the folders; `explanation.json` is what the engine says, `explanation.txt` how it is printed. Both are written
 * with `vitest -u` and read by a person before they are committed. The engine answers, so the addon must be built.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadAddon } from '../../src/native/index.js'
import { explainRequest } from '../../src/proxy/ask-engine.js'
import { resolveFile } from '../../src/proxy/prepare.js'
import { describeAnswer } from '../../src/telemetry/explanation-text.js'
import { questionOf } from '../../src/telemetry/question.js'

const folder = join(import.meta.dirname, '../golden/explain')
const cases = readdirSync(folder).filter((name) => existsSync(join(folder, name, 'request.json')))

interface Asked {
  method: string
  url: string
  headers?: [string, string][]
  listener?: string
}

describe('an explanation', () => {
  it.each(cases)('%s', async (name) => {
    const own = join(folder, name, 'config.yaml')
    const file = existsSync(own) ? own : join(folder, 'config.yaml')
    const asked = JSON.parse(readFileSync(join(folder, name, 'request.json'), 'utf8')) as Asked
    const { method, url, headers = [], listener } = asked
    const question = questionOf({ method, url, headers, client: '192.0.2.7', listener: listener ?? null })
    const answers = await explainRequest(loadAddon(), await resolveFile(file), file, question)
    const text = answers.map((answer) => describeAnswer(answer)).join('\n\n')
    await expect(`${JSON.stringify(answers, null, 2)}\n`).toMatchFileSnapshot(join(folder, name, 'explanation.json'))
    await expect(`${text}\n`).toMatchFileSnapshot(join(folder, name, 'explanation.txt'))
  })
})
