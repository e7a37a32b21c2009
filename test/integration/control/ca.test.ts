/** The authority as a person meets it: commands, files, restarts, and a workload whose certificate is kept in files. */
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterEach, describe, expect, it } from 'vitest'
import type { AuthorityStatus } from '../../../src/control/ca/status.js'
import { makeAuthority } from '../../kit/certificates.js'
import { type ControlProcess, startControlProcess } from '../../kit/control-process.js'
import { endPrograms, Program } from '../../kit/program.js'
import { removeScratch, scratchFolder } from '../../kit/scratch.js'

afterEach(async () => {
  await endPrograms()
  removeScratch()
})

const entry = join(process.cwd(), 'dist/weft.js')
const identity = 'spiffe://shop.example/ns/default/sa/reviews'
const domain = ['--trust-domain', 'shop.example']

async function run(...args: string[]) {
  const program = new Program(process.execPath, [entry, ...args])
  return { code: await program.end(), stdout: program.stdout, stderr: program.stderr }
}

/** A control plane with what its file says of the authority, speaking TLS where it is given a certificate. */
function start(authority: object, more: object = {}): Promise<ControlProcess> {
  const data = scratchFolder()
  const file = join(scratchFolder(), 'control.yaml')
  writeFileSync(file, JSON.stringify({ data, mesh: { trustDomain: 'shop.example' }, authority, ...more }))
  return startControlProcess('-c', file, '--data', data)
}

const verify = (folder: string) => {
  const [roots, cert] = [join(folder, 'roots.pem'), join(folder, 'cert.pem')]
  return execFileSync('openssl', ['verify', '-x509_strict', '-CAfile', roots, '-untrusted', cert, cert]).toString()
}

async function workloadToken({ weft }: ControlProcess, ...more: string[]): Promise<string> {
  const made = await weft(
    'token',
    'create',
    '--name',
    'r',
    '--role',
    'workload',
    '-n',
    'default',
    '--service',
    'reviews',
    ...more,
  )
  return made.stdout.trim()
}

describe('weft ca', () => {
  it('makes an authority that a control plane uses, shows every link, issues, revokes and rotates', async () => {
    const data = scratchFolder()
    const made = await run('ca', 'init', '--data', data, ...domain)
    expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/root +O=shop\.example.* 3649\n/) })
    expect(await run('ca', 'init', '--data', data)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('there is an authority already'),
    })
    const control = await startControlProcess('--data', data, ...domain)
    const { weft } = control
    const [id = ''] = readdirSync(join(data, 'ca')).filter((name) => name !== 'issued.log')
    expect((await weft('ca', 'status')).stdout).toContain(`authority  ${id}  issuing  (made here, key here)`)
    expect((await weft('status')).stdout).toMatch(/intermediate, issuing +O=shop\.example.* 364\nroot, issuing/)

    const out = join(scratchFolder(), 'out')
    expect(await weft('ca', 'issue', '--account', 'reviews', '--out', out)).toMatchObject({ code: 0 })
    expect([verify(out), statSync(join(out, 'key.pem')).mode & 0o777]).toEqual([expect.stringContaining('OK'), 0o600])
    const leaf = new X509Certificate(readFileSync(join(out, 'cert.pem')))
    expect(leaf.subjectAltName).toBe(`URI:${identity}`)
    expect((await weft('ca', 'issue', '--host', 'Shop.Example')).stderr).toContain('must be a DNS name in lower case')
    const served = await weft('ca', 'issue', '--host', 'shop.example', '127.0.0.1', '--output', 'json')
    const { chain } = JSON.parse(served.stdout) as { chain: string }
    expect(new X509Certificate(chain).subjectAltName).toBe('DNS:shop.example, IP Address:127.0.0.1')

    const issued = await weft('ca', 'status', '--issued', identity)
    expect(issued.stdout).toContain(leaf.serialNumber.toLowerCase())
    expect((await weft('ca', 'revoke')).stderr).toContain('give either --serial or --identity')
    const revoked = await weft('ca', 'revoke', '--identity', identity, '--reason', 'stolen')
    expect(revoked).toMatchObject({ code: 0, stdout: `${identity} and 1 certificate revoked\n` })
    expect(await weft('ca', 'issue', '--account', 'reviews')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`${identity} was revoked by token:`),
    })
    await weft('ca', 'revoke', '--identity', identity, '--lift')
    expect((await weft('ca', 'issue', '--account', 'reviews')).code).toBe(0)

    const viewer = (await weft('token', 'create', '--name', 'v', '--role', 'viewer')).stdout.trim()
    expect((await weft('ca', 'rotate', '--token', viewer)).stderr).toContain('admin is needed')
    const shop = (await weft('token', 'create', '--name', 's', '--role', 'admin', '-n', 'shop')).stdout.trim()
    expect((await weft('ca', 'rotate', '--token', shop)).stderr).toContain('the namespace * is not among shop')
    expect((await weft('ca', 'issue', '--account', 'reviews', '--token', shop)).stderr).toContain(
      'default is not among',
    )

    expect((await weft('ca', 'rotate', '--no-wait')).stdout).toBe('the rotation has begun: weft ca status\n')
    expect((await weft('ca', 'rotate')).stderr).toContain('a rotation is under way: the new root is trusted')
    // What is under way goes on after a restart.
    control.program.signal('SIGTERM')
    await control.program.end()
    const again = await startControlProcess('--data', data, ...domain)
    expect((await again.weft('ca', 'status')).stdout).toContain('rotation   the new root is trusted')
    expect((await again.weft('ca', 'rotate', '--force')).stdout).toMatch(/issues now; .* is trusted until/)
    expect((await again.weft('ca', 'issue', '--account', 'reviews', '--out', out)).code).toBe(0)
    expect(verify(out)).toContain('OK')
    expect(new X509Certificate(readFileSync(join(out, 'cert.pem'))).issuer).not.toBe(leaf.issuer)
    await again.weft('ca', 'rotate', '--force')
    expect(existsSync(join(data, 'ca', id))).toBe(false)

    const audit = readFileSync(join(data, 'audit.log'), 'utf8')
    for (const words of ['"event":"issued"', '"why":"ca rotate"', `ca revoke ${identity}`, '"event":"denied"']) {
      expect(audit).toContain(words)
    }
    expect(audit).not.toContain('PRIVATE KEY')
  }, 60_000)

  it('says which key it cannot use, and serves what needs none', async () => {
    const data = scratchFolder()
    await run('ca', 'init', '--data', data, ...domain)
    const [id = ''] = readdirSync(join(data, 'ca'))
    const key = join(data, 'ca', id, 'issuer.key')
    chmodSync(key, 0o644)
    const control = await startControlProcess('--data', data, ...domain)
    expect(control.program.output).toContain(
      `the authority ${id} cannot sign here: others may read ${key}: its mode is 0644`,
    )
    expect((await control.weft('ca', 'status')).stdout).toContain('KEY NOT HERE')
    expect((await control.weft('ca', 'issue', '--account', 'reviews')).stderr).toContain('does not lie here')
    expect((await control.weft('get', 'workloads')).code).toBe(0)
    const none = await startControlProcess()
    expect((await none.weft('ca', 'status')).stderr).toContain(
      'this control plane issues no certificates (make an authority',
    )
  }, 40_000)
})

describe('an authority that was given', () => {
  it('signs as it is, and gives way step by step to another that is given in its place', async () => {
    const data = scratchFolder()
    const [one, other] = [makeAuthority(), makeAuthority()]
    const given = ({ ca }: typeof one) => ['--ca-cert', ca, '--ca-key', ca.replace(/\.pem$/, '.key')]
    const first = await startControlProcess('--data', data, ...domain, ...given(one))
    const out = join(scratchFolder(), 'out')
    expect((await first.weft('ca', 'issue', '--account', 'reviews', '--out', out)).code).toBe(0)
    expect(execFileSync('openssl', ['verify', '-CAfile', one.ca, join(out, 'cert.pem')]).toString()).toContain('OK')
    expect((await first.weft('ca', 'rotate')).stderr).toContain('the authority was given, so another has to be given')
    first.program.signal('SIGTERM')
    await first.program.end()
    const second = await startControlProcess('--data', data, ...domain, ...given(other))
    const shown = JSON.parse((await second.weft('ca', 'status', '--output', 'json')).stdout) as AuthorityStatus
    const states = shown.authorities.map(({ state, own, keyHere }) => ({ state, own, keyHere }))
    expect(states.sort((a, b) => a.state.localeCompare(b.state))).toEqual([
      { state: 'adding', own: false, keyHere: true },
      { state: 'issuing', own: false, keyHere: true },
    ])
    expect((await second.weft('ca', 'rotate', '--force')).code).toBe(0)
    expect((await second.weft('ca', 'issue', '--account', 'reviews', '--out', out)).code).toBe(0)
    expect(execFileSync('openssl', ['verify', '-CAfile', other.ca, join(out, 'cert.pem')]).toString()).toContain('OK')
    const missing = await run('control', '--data', scratchFolder(), '--ca-cert', one.ca)
    expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining('give both certificate and key') })
    const wrong = await run(
      'control',
      '--data',
      scratchFolder(),
      '--ca-cert',
      one.ca,
      '--ca-key',
      other.ca.replace(/\.pem$/, '.key'),
    )
    expect(wrong).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('the key is not the one of the certificate'),
    })
  }, 60_000)
})

describe('weft certificate', () => {
  it('proves itself by a token once and by its certificate after, and keeps the files good', async () => {
    const outer = makeAuthority()
    const { certificate, key } = outer.issue('control', 'IP:127.0.0.1')
    const env = { WEFT_CA: outer.ca }
    const control = await start({ leaf: '6s', settle: '200ms', clockSkew: '1s' }, { tls: { certificate, key } })
    const weft = (...args: string[]) => control.weft(...args, '--ca', outer.ca)
    const token = await workloadToken(control, '--ca', outer.ca)
    const out = join(scratchFolder(), 'out')
    const args = ['certificate', '--out', out, '--control', control.xds, '--control-ca', outer.ca]
    const agent = new Program(process.execPath, [entry, ...args, '--token', token, '--node', 'agent-1', '--renew'], {
      env,
    })
    await agent.says(`certificate of URI:${identity}`)
    // From now on the token is worth nothing.
    const { items } = JSON.parse((await weft('token', 'list', '--output', 'json')).stdout) as {
      items: { id: string; name: string }[]
    }
    await weft('token', 'revoke', items.find(({ name }) => name === 'r')?.id ?? '')
    const first = readFileSync(join(out, 'cert.pem'), 'utf8')
    const from = agent.output.length
    await agent.says(/certificate of URI/, from)
    const second = readFileSync(join(out, 'cert.pem'), 'utf8')
    expect([second === first, verify(out)]).toEqual([false, expect.stringContaining('OK')])
    expect(readFileSync(join(control.data, 'audit.log'), 'utf8')).toMatch(
      /"event":"issued","who":"certificate:[0-9a-f]+"/,
    )

    // A rotation waits for those who keep files.
    agent.signal('SIGSTOP')
    await weft('ca', 'rotate', '--no-wait')
    expect((await weft('ca', 'status')).stdout).toContain('rotation   the new root is not taken yet by agent-1')
    agent.signal('SIGCONT')
    await control.program.says(/the authority \w+ issues from now on/)
    const roots = readFileSync(join(out, 'roots.pem'), 'utf8')
    expect(roots.match(/BEGIN CERTIFICATE/g)).toHaveLength(2)
    agent.signal('SIGTERM')
    expect(await agent.end()).toBe(0)
  }, 60_000)

  it('ends with the application beside it, and says why it gets no certificate', async () => {
    const control = await start({})
    const token = await workloadToken(control)
    const out = join(scratchFolder(), 'out')
    const args = ['certificate', '--out', out, '--control', control.xds]
    const app = await control.weft(...args, '--token', token, '--', process.execPath, '-e', 'process.exit(7)')
    expect(app.code).toBe(7)
    expect(verify(out)).toContain('OK')
    for (const [more, why] of [
      [['--token', 'weft_00000000_none'], 'the token is not known here'],
      [['--token', token, '--account', 'bank'], 'may only be reviews, not bank'],
      [['--token', await workloadToken(control, '--expires-in', '1s')], 'the token expired at'],
    ] as const) {
      if (why.includes('expired')) await expired(control)
      expect(await control.weft(...args, ...more)).toMatchObject({ code: 1, stderr: expect.stringContaining(why) })
    }
    const nobody = await control.weft('certificate', '--out', out, '--control', '127.0.0.1:1', '--token', token)
    expect(nobody.stderr).toContain('no certificate from 127.0.0.1:1')
    // What is there was not touched by any of these.
    expect(verify(out)).toContain('OK')
  }, 60_000)

  it('proves itself by the service-account token that a cluster has put beside it, and not by one for others', async () => {
    const cluster = await generateKeyPair('ES256')
    const [keys, tokenFile] = [join(scratchFolder(), 'jwks.json'), join(scratchFolder(), 'token')]
    writeFileSync(keys, JSON.stringify({ keys: [{ ...(await exportJWK(cluster.publicKey)), kid: 'k', alg: 'ES256' }] }))
    const control = await start({ kubernetes: { keys, issuer: 'https://cluster.example' } })
    const project = async (audience: string) => {
      const token = new SignJWT({ sub: 'system:serviceaccount:default:reviews' }).setIssuer('https://cluster.example')
      const dated = token.setAudience(audience).setExpirationTime('10m').setProtectedHeader({ alg: 'ES256', kid: 'k' })
      writeFileSync(tokenFile, `${await dated.sign(cluster.privateKey)}\n`)
    }
    const out = join(scratchFolder(), 'out')
    const args = ['certificate', '--out', out, '--control', control.xds, '--token-file', tokenFile]
    await project('kubernetes')
    expect(await control.weft(...args)).toMatchObject({ code: 1, stderr: expect.stringContaining('"aud"') })
    await project('weft')
    expect(await control.weft(...args)).toMatchObject({ code: 0 })
    expect(new X509Certificate(readFileSync(join(out, 'cert.pem'))).subjectAltName).toBe(`URI:${identity}`)
    expect(verify(out)).toContain('OK')
    const other = await control.weft(...args, '--account', 'bank')
    expect(other.stderr).toContain('is default/reviews and not default/bank')
  }, 40_000)

  it('needs no secret at the Unix socket of its machine, where the kernel says who it is', async () => {
    const path = join(scratchFolder(), 'weft.sock')
    const uid = process.getuid?.() ?? 0
    const here = { uid, executable: process.execPath, account: 'reviews' }
    const control = await start({ socket: { path, workloads: [here, { uid: uid + 1, account: 'bank' }] } })
    const out = join(scratchFolder(), 'out')
    expect((await control.weft('certificate', '--out', out, '--socket', path)).code).toBe(0)
    expect(new X509Certificate(readFileSync(join(out, 'cert.pem'))).subjectAltName).toBe(`URI:${identity}`)
    expect(verify(out)).toContain('OK')
    const bank = await control.weft('certificate', '--out', out, '--socket', path, '--account', 'bank')
    expect(bank.stderr).toContain('is default/reviews and not default/bank')
    // The same user with another program.
    const curl = ['-sS', '--unix-socket', path, 'http://x/v1/certificate', '-d', '{"csr":""}']
    expect(execFileSync('curl', curl).toString()).toContain('is no workload of this machine')
  }, 40_000)
})

/** Resolves when a second has gone by on the clock of the control plane. */
async function expired({ url, token }: ControlProcess): Promise<void> {
  const headers = { authorization: `Bearer ${token}` }
  const up = async () =>
    ((await (await fetch(`${url}/v1/status`, { headers })).json()) as { uptimeMs: number }).uptimeMs
  const began = await up()
  while ((await up()) < began + 1_100);
}
