/**
 * Authorities in files, each in a folder of its own: `DATA/ca/ID/` with `root.pem`, `chain.pem`, `issuer.key`, and
 * `root.key` where the root was made here.
 *
 * Two levels: the root signs an intermediate, which signs workloads. `root.key` is needed only when the intermediate is
 * renewed, so it may be taken away and kept elsewhere.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { WeftError } from '../../errors.js'
import { authorityId, describeLink, readChain } from './chain.js'
import { readKey, writeKey, writeWhole } from './key-file.js'
import type { AuthorityKeys } from './sealed-keys.js'
import { createRoot, type Pair, Signer } from './signer.js'

/** What everybody may know of an authority. */
export interface AuthorityCertificates {
  /** Of its public key. */
  id: string
  root: string
  /** PEM without the root, who signs first; empty when the root signs itself. */
  chain: string
  /** Its root was made here, and another can be made in its place. */
  own: boolean
}

export interface AuthorityFolder {
  /** `DATA/ca`. */
  folder: string
  passphrase: string | null
  /** What keys are shared with between replicas; null: they are not. */
  secret: string | null
}

const dayMs = 86_400_000
const rootDays = 3_650
const intermediateDays = 365
/** Clocks that are late must take what was made this moment. */
const backdateMs = 3_600_000

/** A new root and its intermediate, written. */
export function makeAuthority(place: AuthorityFolder, trustDomain: string, nowMs: number): AuthorityCertificates {
  const root = createRoot({ name: `${trustDomain} root ${stamp(nowMs)}`, trustDomain, ...span(nowMs, rootDays) })
  const intermediate = makeIntermediate(root, trustDomain, nowMs, null)
  const made = { id: authorityId(intermediate.certificate), root: root.certificate, chain: intermediate.certificate }
  const folder = makeFolder(place, made.id)
  writeKey(join(folder, 'root.key'), root.key, place.passphrase)
  writeFiles(place, made, intermediate.key)
  return { ...made, own: true }
}

/** The same key under a new certificate, so that what it signed before stays good. */
export function renewIntermediate(
  place: AuthorityFolder,
  { id, root, own }: AuthorityCertificates,
  trustDomain: string,
  nowMs: number,
): AuthorityCertificates {
  const folder = join(place.folder, id)
  const rootKey = readKey(join(folder, 'root.key'), place.passphrase)
  const key = readKey(join(folder, 'issuer.key'), place.passphrase)
  const renewed = makeIntermediate({ certificate: root, key: rootKey }, trustDomain, nowMs, key)
  const made = { id, root, chain: renewed.certificate, own }
  writeFiles(place, made, key)
  return made
}

function makeIntermediate(root: Pair, trustDomain: string, nowMs: number, key: string | null): Pair {
  const signer = Signer.open(root)
  try {
    const { notBeforeMs, notAfterMs } = span(nowMs, intermediateDays)
    const bounded = Math.min(notAfterMs, describeLink(root.certificate).notAfterMs)
    const name = `${trustDomain} issuer ${stamp(nowMs)}`
    return signer.createIntermediate({ name, trustDomain, notBeforeMs, notAfterMs: bounded }, key)
  } finally {
    signer.close()
  }
}

/** An authority of somebody's own: checked, and its key copied, so that it is still there while another takes its place. */
export function takeAuthority(
  place: AuthorityFolder,
  given: { certificate: string; key: string },
  nowMs: number,
): AuthorityCertificates {
  const text = read(given.certificate)
  const { chain, root } = readChain(text, given.certificate, nowMs)
  const signing = chain === '' ? root : chain
  const key = readKey(given.key, place.passphrase)
  try {
    Signer.open({ certificate: signing, key }).close()
  } catch (cause) {
    const message = `${given.certificate} and ${given.key} cannot sign: ${(cause as Error).message}`
    throw new WeftError('WEFT_CA_KEY', message, { path: 'authority', cause })
  }
  const made = { id: authorityId(signing), root, chain }
  makeFolder(place, made.id)
  writeFiles(place, made, key)
  return { ...made, own: false }
}

/** Those whose files lie in the folder, the newest root first. */
export function foundAuthorities({ folder }: AuthorityFolder): AuthorityCertificates[] {
  if (!existsSync(folder)) return []
  const ids = readdirSync(folder).filter((id) => existsSync(join(folder, id, 'root.pem')))
  const found = ids.map((id) => {
    const [root, chain] = [read(join(folder, id, 'root.pem')), read(join(folder, id, 'chain.pem'))]
    return { id, root, chain, own: existsSync(join(folder, id, 'root.key')) }
  })
  return found.sort((one, other) => begin(other) - begin(one))
}

/** Throws `WEFT_CA_KEY` when its key is not here or cannot be used. */
export function openSigner(place: AuthorityFolder, { id, chain, root }: AuthorityCertificates): Signer {
  const certificate = chain === '' ? root : chain
  return Signer.open({ certificate, key: readKey(join(place.folder, id, 'issuer.key'), place.passphrase) })
}

/** Null where the key does not lie here. Throws `WEFT_CA_KEY` when it cannot be used. */
export function readKeys({ folder, passphrase }: AuthorityFolder, id: string): AuthorityKeys | null {
  const [issuer, root] = ['issuer.key', 'root.key'].map((name) => join(folder, id, name))
  if (issuer === undefined || root === undefined || !existsSync(issuer)) return null
  return { issuer: readKey(issuer, passphrase), root: existsSync(root) ? readKey(root, passphrase) : null }
}

/** The files of an authority that another replica has made. */
export function writeKeys(
  place: AuthorityFolder,
  authority: Pick<AuthorityCertificates, 'id' | 'root' | 'chain'>,
  { issuer, root }: AuthorityKeys,
): void {
  const folder = makeFolder(place, authority.id)
  if (root !== null) writeKey(join(folder, 'root.key'), root, place.passphrase)
  writeFiles(place, authority, issuer)
}

export function hasRootKey({ folder }: AuthorityFolder, id: string): boolean {
  return existsSync(join(folder, id, 'root.key'))
}

export function removeAuthority({ folder }: AuthorityFolder, id: string): void {
  rmSync(join(folder, id), { recursive: true, force: true })
}

function writeFiles(place: AuthorityFolder, made: Pick<AuthorityCertificates, 'id' | 'root' | 'chain'>, key: string) {
  const folder = join(place.folder, made.id)
  writeKey(join(folder, 'issuer.key'), key, place.passphrase)
  writeWhole(join(folder, 'chain.pem'), made.chain, 0o644)
  // Last: where it lies, the others do.
  writeWhole(join(folder, 'root.pem'), made.root, 0o644)
}

function makeFolder({ folder }: AuthorityFolder, id: string): string {
  const own = join(folder, id)
  try {
    mkdirSync(own, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new WeftError('WEFT_CA_KEY', `cannot make the folder ${own}: ${(cause as Error).message}`, { cause })
  }
  return own
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new WeftError('WEFT_CA_KEY', `cannot read ${file}: ${(cause as NodeJS.ErrnoException).code}`, { cause })
  }
}

function begin({ root }: AuthorityCertificates): number {
  return describeLink(root).notBeforeMs
}

function span(nowMs: number, days: number) {
  return { notBeforeMs: nowMs - backdateMs, notAfterMs: nowMs + days * dayMs }
}

/** Tells one from the next for people. */
function stamp(nowMs: number): string {
  // Two of one minute must not have one name: a chain is looked for by names.
  return `${new Date(nowMs).toISOString().slice(0, 16)} ${randomBytes(3).toString('hex')}`
}
