/** Every command of "The control plane in five minutes", as it stands in the README, run by bash. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { freePort } from '../../kit/free-port.js'
import { endPrograms, Program } from '../../kit/program.js'
import { scratchFolder } from '../../kit/scratch.js'

afterEach(endPrograms)

describe('the control plane in five minutes', () => {
  it('works as it stands', async () => {
    const text = readFileSync('src/control/README.md', 'utf8')
    const chapter = text.slice(text.indexOf('## The control plane in five minutes'), text.indexOf('## Security'))
    const blocks = [...chapter.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block ?? '')
    expect(blocks).toHaveLength(4)
    const folder = scratchFolder()
    mkdirSync(join(folder, 'bin'))
    const weft = `#!/bin/sh\nexec ${process.execPath} ${join(process.cwd(), 'dist/weft.js')} "$@"\n`
    writeFileSync(join(folder, 'bin/weft'), weft, { mode: 0o755 })
    // Its application: the command ends with it.
    writeFileSync(join(folder, 'reviews'), '#!/bin/sh\n', { mode: 0o755 })
    // Another port, so that whatever serves on the usual one is left alone.
    const address = `127.0.0.1:${await freePort()}`
    const env = {
      PATH: `${join(folder, 'bin')}:${process.env.PATH}`,
      WEFT_SERVER: `http://${address}`,
      XDG_CONFIG_HOME: folder,
    }
    const run = (script: string) => {
      const elsewhere = script
        .replaceAll('127.0.0.1:7400', address)
        .replace('weft control', `weft control --listen ${address} --xds 127.0.0.1:0`)
      return new Program('bash', ['-euc', elsewhere], { env, cwd: folder })
    }
    const control = run(`exec ${blocks[0]}`)
    await control.says('control ready in')
    // The token that the second block exports is needed by the others.
    const rest = run(blocks.slice(1).join('\n'))
    expect(await rest.end()).toBe(0)
    // Nobody serves in this story: that is said, and nothing else.
    const said = rest.stderr
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('notice: ') && !line.startsWith('kept; '))
    expect(said).toEqual([])
    for (const words of [
      '+          weight: 90',
      'HTTPRoute default/reviews-canary created',
      'HTTPRoute default/reviews-canary changed',
      'rollback to 2',
      'ratings',
      'shop-team  operator  shop',
      '"id": "page-1"',
      'HTTPRoute default/reviews-canary deleted',
    ]) {
      expect(rest.stdout).toContain(words)
    }
    control.signal('SIGINT')
    expect(await control.end()).toBe(0)
  })
})
