/** Certificates from files: what is read how often, and what is never answered. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { type FileCertificates, fileCertificates } from '../../../src/control/certificates/file-certificates.js'
import { scratchFolder } from '../../kit/scratch.js'

let certificates: FileCertificates
afterEach(() => certificates.close())

function start(files: Record<string, string>) {
  const folder = scratchFolder()
  const write = (name: string, text: string) => {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  for (const [name, text] of Object.entries(files)) write(name, text)
  const clock = { nowMs: 0 }
  const read: string[] = []
  certificates = fileCertificates(folder, {
    nowMs: () => clock.nowMs,
    readText(path) {
      read.push(path.slice(folder.length + 1))
      return readFileSync(path, 'utf8')
    },
  })
  return { write, clock, read }
}

const shop = { 'named/default/shop.crt': 'chain', 'named/default/shop.key': 'key' }

describe('certificates from files', () => {
  it('are read once for all who ask, and stay the same object', () => {
    const { read } = start({ ...shop, 'default/a.crt': 'a', 'default/a.key': 'a key', 'roots.pem': 'roots' })
    const all = () => [
      certificates.named('default/shop'),
      certificates.identity({ namespace: 'default', account: 'a' }),
      certificates.roots(),
    ]
    const first = all()
    expect(first).toEqual([
      { chain: 'chain', key: 'key' },
      { chain: 'a', key: 'a key' },
      { roots: 'roots', revoked: '', leavesOnly: false },
    ])
    const reads = read.length
    for (const [index, one] of all().entries()) expect(one).toBe(first[index])
    expect(read).toHaveLength(reads)
  })

  it('are read again after a change of the folder, which is told', async () => {
    const { write } = start(shop)
    certificates.named('default/shop')
    const told = new Promise<void>((resolve) => certificates.onChange(resolve))
    write('named/default/shop.key', 'other key')
    await told
    await expect.poll(() => certificates.named('default/shop')).toEqual({ chain: 'chain', key: 'other key' })
  })

  it('are looked at again after a second, should nobody tell; what is the same stays the same object', () => {
    const { clock, read } = start(shop)
    const first = certificates.named('default/shop')
    clock.nowMs = 999
    certificates.named('default/shop')
    expect(read).toHaveLength(2)
    clock.nowMs = 1000
    expect(certificates.named('default/shop')).toBe(first)
    expect(read).toHaveLength(4)
  })

  it('tell authorities beside a certificate or alone, with what they took back', () => {
    start({ 'named/default/shop.ca.crt': 'ca', 'named/default/shop.ca.crl': 'list', 'named/default/b.ca.crt': 'ca' })
    expect(certificates.authorities('default/shop')).toEqual({ roots: 'ca', revoked: 'list' })
    expect(certificates.authorities('default/b')).toEqual({ roots: 'ca', revoked: '' })
    expect(certificates.authorities('default/c')).toBeNull()
    expect(certificates.named('default/shop')).toBeNull()
  })

  it.each(['../default/shop', 'default/../shop', 'default/', 'shop', '/shop'])(
    'are not looked for under %s',
    (name) => {
      const { read } = start(shop)
      expect([certificates.named(name), certificates.authorities(name)]).toEqual([null, null])
      expect(read).toEqual([])
    },
  )
})
