/** Control planes as processes on a real etcd that share the keys of their authority, sealed, through it. */
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { AuthorityStatus } from '../../../src/control/ca/status.js'
import { type ControlProcess, startControlProcess } from '../../kit/control-process.js'
import { startEtcd } from '../../kit/etcd.js'
import { freePort } from '../../kit/free-port.js'
import { endPrograms } from '../../kit/program.js'
import { removeScratch, scratchFolder } from '../../kit/scratch.js'

afterEach(async () => {
  await endPrograms()
  removeScratch()
})

const secret = 'c2VjcmV0IG9mIGFsbCByZXBsaWNhcyBvZiB0aGlzIG1lc2g='

async function replica(
  etcd: string,
  id: string,
  keyEncryption: string | null,
  data = scratchFolder(),
): Promise<ControlProcess> {
  const file = join(scratchFolder(), 'control.yaml')
  const authority = { keyEncryption, settle: '2s', leaf: '1h' }
  const written = { data, id, etcd: { urls: [etcd] }, mesh: { trustDomain: 'shop.example' }, authority }
  writeFileSync(file, JSON.stringify(written))
  return startControlProcess('-c', file, '--data', data, '--listen', `127.0.0.1:${await freePort()}`)
}

function secretFile(text: string): string {
  const file = join(scratchFolder(), 'secret')
  writeFileSync(file, `${text}\n`, { mode: 0o600 })
  return file
}

/** Keys and values, as text. */
function heldBy(etcd: string): string {
  const env = { ...process.env, ETCDCTL_API: '3' }
  return execFileSync('etcdctl', ['--endpoints', etcd, 'get', '', '--prefix'], { env }).toString()
}

/** Asks until the answer is as it is waited for; each time is another look at the status. */
async function until<Answer>(ask: () => Promise<Answer>, isSo: (answer: Answer) => boolean): Promise<Answer> {
  const limitAt = performance.now() + 30_000
  for (;;) {
    const answer = await ask()
    if (isSo(answer)) return answer
    if (performance.now() > limitAt) throw new Error(`it did not come to that: ${JSON.stringify(answer)}`)
  }
}

describe('the authority of control planes on etcd', () => {
  it('issues at each of them, and a rotation that one begins is carried on by the other when the first is killed', async () => {
    const etcd = await startEtcd()
    const one = await replica(etcd.url, 'one', secretFile(secret))
    const two = await replica(etcd.url, 'two', secretFile(secret))
    const ask = (at: ControlProcess, ...args: string[]) => at.weft(...args, '--token', one.token)
    const status = async (at: ControlProcess) =>
      JSON.parse((await ask(at, 'ca', 'status', '--output', 'json')).stdout) as AuthorityStatus
    /** Asks there and not at the leader; returns who has signed. */
    const issue = async (at: ControlProcess) => {
      const out = join(scratchFolder(), 'out')
      expect(await ask(at, 'ca', 'issue', '--account', 'cart', '--out', out)).toMatchObject({ code: 0 })
      const [cert, roots] = ['cert.pem', 'roots.pem'].map((name) => join(out, name)) as [string, string]
      const verified = execFileSync('openssl', ['verify', '-x509_strict', '-CAfile', roots, '-untrusted', cert, cert])
      expect(verified.toString()).toContain('OK')
      const { serialNumber, issuer } = new X509Certificate(readFileSync(cert))
      const ledger = readFileSync(join(at.data, 'ca', 'issued.log'), 'utf8')
      expect(ledger).toContain(serialNumber.toLowerCase())
      return issuer
    }
    const first = await until(
      () => status(two),
      ({ authorities: [authority] }) => authority?.keyHere === true,
    )
    const [{ id } = { id: '' }] = first.authorities
    expect(await issue(two)).toBe(await issue(one))
    // At two as it is at one: for its owner alone. In etcd and the audit logs there is no key.
    expect(statSync(join(two.data, 'ca', id, 'issuer.key')).mode & 0o777).toBe(0o600)
    const held = heldBy(etcd.url)
    expect(held).toContain('"kind":"authority-key"')
    for (const text of [held, ...[one, two].map(({ data }) => readFileSync(join(data, 'audit.log'), 'utf8'))])
      expect(text).not.toContain('PRIVATE KEY')
    const pem = readFileSync(join(one.data, 'ca', id, 'issuer.key'), 'utf8').split('\n')[1] ?? ''
    expect([pem.length, held.includes(pem)]).toEqual([64, false])

    expect(await ask(one, 'ca', 'rotate', '--no-wait')).toMatchObject({ code: 0 })
    one.program.signal('SIGKILL')
    await two.program.says('changes are taken')
    const rotated = await until(
      () => status(two),
      ({ authorities }) => authorities.some((other) => other.state === 'issuing' && other.id !== id),
    )
    const issuing = rotated.authorities.find(({ state }) => state === 'issuing')
    expect(issuing?.keyHere).toBe(true)
    const issuer = await issue(two)
    // The first comes back as a new replica with an empty folder.
    const three = await replica(etcd.url, 'three', secretFile(secret))
    expect(await issue(three)).toBe(issuer)
    expect(await ask(two, 'ca', 'rotate', '--force')).toMatchObject({ code: 0 })
    await until(
      async () => existsSync(join(three.data, 'ca', id)),
      (isThere) => !isThere,
    )
    expect(readdirSync(join(two.data, 'ca')).sort()).toEqual([issuing?.id, 'issued.log'].sort())
    expect(await issue(three)).toBe(issuer)
  }, 90_000)

  it('rotates when every replica has heard of the new root, and not before', async () => {
    const etcd = await startEtcd()
    const one = await replica(etcd.url, 'one', secretFile(secret))
    const two = await replica(etcd.url, 'two', secretFile(secret))
    const status = async () =>
      JSON.parse((await one.weft('ca', 'status', '--output', 'json')).stdout) as AuthorityStatus
    const {
      authorities: [{ id } = { id: '' }],
    } = await status()
    await until(
      async () => heldBy(etcd.url),
      (held) => held.includes('replicas/two/roots'),
    )

    two.program.signal('SIGSTOP')
    expect(await one.weft('ca', 'rotate', '--no-wait')).toMatchObject({ code: 0 })
    const { rotation } = await status()
    expect(rotation).toEqual({ step: 'wait', why: 'the new root is not taken yet by replica two' })
    two.program.signal('SIGCONT')
    await until(status, ({ authorities }) => authorities.some((other) => other.state === 'issuing' && other.id !== id))
  }, 60_000)

  it('takes back what any replica has issued to an identity that is revoked', async () => {
    const etcd = await startEtcd()
    const one = await replica(etcd.url, 'one', secretFile(secret))
    const two = await replica(etcd.url, 'two', secretFile(secret))
    const status = async (at: ControlProcess) =>
      JSON.parse((await at.weft('ca', 'status', '--token', one.token, '--output', 'json')).stdout) as AuthorityStatus
    await until(
      () => status(two),
      ({ authorities: [authority] }) => authority?.keyHere === true,
    )
    const serials: string[] = []
    for (const at of [one, two]) {
      const out = join(scratchFolder(), 'out')
      const issued = await at.weft('ca', 'issue', '--account', 'cart', '--out', out, '--token', one.token)
      expect(issued).toMatchObject({ code: 0 })
      serials.push(new X509Certificate(readFileSync(join(out, 'cert.pem'))).serialNumber.toLowerCase())
    }
    expect(await one.weft('ca', 'revoke', '--identity', 'spiffe://shop.example/ns/default/sa/cart')).toMatchObject({
      code: 0,
    })
    for (const at of [one, two])
      await until(
        () => status(at),
        ({ revoked }) => serials.every((serial) => revoked.some((one) => one.serial === serial)),
      )
  }, 60_000)

  it('is shared from the moment when its replica is given the secret', async () => {
    const etcd = await startEtcd()
    const before = await replica(etcd.url, 'one', null)
    before.program.signal('SIGTERM')
    await before.program.end()
    await replica(etcd.url, 'one', secretFile(secret), before.data)
    const two = await replica(etcd.url, 'two', secretFile(secret))
    const shown = await until(
      () => two.weft('ca', 'status', '--token', before.token),
      ({ stdout }) => stdout.includes('key here'),
    )
    expect(shown.stdout).not.toContain('KEY NOT HERE')
  }, 60_000)

  it('is said plainly to be closed to a replica without the secret or with another, which serves all else', async () => {
    const etcd = await startEtcd()
    const one = await replica(etcd.url, 'one', secretFile(secret))
    for (const [id, file, why] of [
      ['none', null, 'its key is in the store, encrypted, and there is no authority.keyEncryption'],
      ['other', secretFile(secret.toLowerCase()), 'in the store does not open'],
    ] as const) {
      const two = await replica(etcd.url, id, file)
      const ask = (...args: string[]) => two.weft(...args, '--token', one.token)
      await two.program.says(why)
      expect((await ask('ca', 'status')).stdout).toContain('KEY NOT HERE')
      expect(await ask('ca', 'issue', '--account', 'cart')).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('give every replica the same authority.keyEncryption'),
      })
      expect(await ask('get', 'workloads')).toMatchObject({ code: 0 })
      expect((await one.weft('ca', 'issue', '--account', 'cart', '--out', scratchFolder())).code).toBe(0)
      await two.program.kill()
    }
    const short = join(scratchFolder(), 'short')
    writeFileSync(short, 'too short\n', { mode: 0o600 })
    await expect(replica(etcd.url, 'short', short)).rejects.toThrow('holds 9 characters, at least 32 are needed')
    // Who cannot share may not make another authority that nobody else could use.
    const unable = await replica(etcd.url, 'unable', null)
    one.program.signal('SIGKILL')
    await unable.program.says('changes are taken')
    const refused = await unable.weft('ca', 'rotate', '--token', one.token)
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('replicas share the keys of authorities'),
    })
  }, 90_000)
})
