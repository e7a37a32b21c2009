/** `weft check` where things really are wrong: what it finds, and that it finds nothing once they are mended. */
import { appendFileSync, cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { dump } from 'js-yaml'
import { afterEach, describe, expect, it } from 'vitest'
import { makeAuthority } from '../../kit/certificates.js'
import { httpRoute } from '../../kit/control.js'
import { type ControlProcess, startControlProcess } from '../../kit/control-process.js'
import { endPrograms } from '../../kit/program.js'
import { scratchFolder } from '../../kit/scratch.js'

afterEach(endPrograms)

interface Checked {
  id: string
  level: 'ok' | 'warning' | 'error'
  message: string
}

/** By id, what is not well. */
async function found(control: ControlProcess, ...more: string[]): Promise<Record<string, string>> {
  const { code, stdout } = await control.weft('check', '--output', 'json', ...more)
  const bad = (JSON.parse(stdout) as Checked[]).filter(({ level }) => level !== 'ok')
  expect(code).toBe(bad.some(({ level }) => level === 'error') ? 1 : 0)
  return Object.fromEntries(bad.map(({ id, message }) => [id, message]))
}

function writeResources(...resources: object[]): string {
  const file = join(scratchFolder(), 'mesh.yaml')
  writeFileSync(file, resources.map((one) => `---\n${dump(one)}`).join(''))
  return file
}

const strict = {
  apiVersion: 'security.istio.io/v1',
  kind: 'PeerAuthentication',
  metadata: { name: 'default' },
  spec: { mtls: { mode: 'STRICT' } },
}

describe('weft check', () => {
  it('finds what is wrong with store, access, certificates, registry and resources', async () => {
    // Everything that this authority signs ends in two days.
    const outer = makeAuthority()
    const tls = outer.issue('control', 'IP:127.0.0.1')
    const [data, file] = [scratchFolder(), join(scratchFolder(), 'control.yaml')]
    writeFileSync(file, JSON.stringify({ data, tls: { certificate: tls.certificate, key: tls.key } }))
    const ca = ['--ca', outer.ca]
    const first = await startControlProcess('-c', file, '--data', data)
    const roots = {
      ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'roots' } },
      data: { 'ca.crt': readFileSync(outer.ca, 'utf8') },
    }
    const dangling = httpRoute('canary', { parentRefs: [{ group: '', kind: 'Service', name: 'absent' }] })
    expect((await first.weft('apply', '-f', writeResources(strict, dangling, roots), ...ca)).code).toBe(0)
    await first.weft('token', 'create', '--name', 'ci', '--role', 'viewer', '--expires-in', '24h', ...ca)
    const register = first.start('register', '--service', 'lonely', '--port', '9', ...ca)
    await register.says('registered default/lonely')
    await first.program.kill()
    await register.kill()
    // A write that was cut short.
    const [log = ''] = readdirSync(join(data, 'store')).filter((name) => name.startsWith('log-'))
    appendFileSync(join(data, 'store', log), 'WFT1 cut')

    const control = await startControlProcess('-c', file, '--data', data)
    const { items } = JSON.parse((await control.weft('get', 'workloads', '--output', 'json', ...ca)).stdout)
    expect(items).toHaveLength(1)
    const beat = `${control.url}/v1/workloads/default/lonely/${items[0].id}/heartbeat`
    await new Promise<void>((resolve, reject) => {
      const headers = { authorization: `Bearer ${control.token}` }
      const sent = request(beat, { method: 'POST', headers, ca: readFileSync(outer.ca) }, (answer) => {
        answer.resume()
        answer.once('end', () => resolve())
      })
      sent.once('error', reject)
      sent.end('{"health":"unhealthy"}')
    })
    const bad = await found(control, ...ca)
    expect(bad).toMatchObject({
      'store-is-whole': expect.stringContaining('no whole commit'),
      'tokens-last': expect.stringContaining('ci will be refused soon'),
      'certificates-are-there': expect.stringContaining('asks for mutual TLS, and there are no certificates'),
      'roots-of-services-last': expect.stringMatching(/default\/roots .* ends in [12](\.\d)? days/),
      'server-certificate-lasts': expect.stringMatching(/ends in [12](\.\d)? days/),
      'services-can-answer': expect.stringContaining('nobody answers for default/lonely'),
      'data-planes-are-connected': expect.stringContaining('none is'),
      'resources-agree': expect.stringContaining('there is no Service default/absent'),
    })
    expect(Object.keys(bad)).toHaveLength(8)
  })

  it('finds an authority whose root ends soon and whose key is not here, and nothing in a fresh one', async () => {
    const fresh = await startControlProcess('--authority')
    expect(Object.keys(await found(fresh))).toEqual(['data-planes-are-connected'])
    const given = makeAuthority()
    const control = await startControlProcess('--ca-cert', given.ca, '--ca-key', given.ca.replace(/\.pem$/, '.key'))
    expect(await found(control)).toMatchObject({
      'roots-last': expect.stringMatching(/root .* ends in [12](\.\d)? days/),
    })
    control.program.signal('SIGTERM')
    await control.program.end()
    // Its files were not copied to the machine that goes on.
    const elsewhere = scratchFolder()
    cpSync(control.data, elsewhere, { recursive: true, filter: (from) => !from.endsWith('.key') })
    const keyless = await startControlProcess('--data', elsewhere)
    expect(await found(keyless)).toMatchObject({ 'a-key-can-sign': expect.stringContaining('is not on this replica') })
  })
})
