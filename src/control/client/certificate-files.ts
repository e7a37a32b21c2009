/**
 * A workload's certificate as files, for programs that watch them (gRPC's `file_watcher`, Envoy, nginx): `cert.pem`,
 * `key.pem`, `roots.pem`, `revoked.crl`.
 *
 * Invariants: each file comes whole; the key before its certificate, so that whoever reads between finds a pair that
 * does not fit, keeps what it has and reads again.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { WeftError } from '../../errors.js'
import { writeWhole } from '../ca/key-file.js'
import type { Bundle, Pair } from './authority.js'

export class CertificateFiles {
  private readonly folder: string

  /** Throws `WEFT_CA_FILES`. */
  constructor(folder: string) {
    this.folder = folder
    this.guard(() => mkdirSync(folder, { recursive: true, mode: 0o755 }))
  }

  /** What lies there and is still good, or null. */
  read(nowMs: number): Pair | null {
    try {
      const [certificate, key] = ['cert.pem', 'key.pem'].map((name) => readFileSync(join(this.folder, name), 'utf8'))
      if (certificate === undefined || key === undefined) return null
      const leaf = new X509Certificate(certificate)
      const good = leaf.checkPrivateKey(createPrivateKey(key)) && Date.parse(leaf.validTo) > nowMs
      return good ? { certificate, key } : null
    } catch {
      return null // not there, or not whole: another takes its place
    }
  }

  /** Throws `WEFT_CA_FILES`. */
  writePair({ certificate, key }: Pair): void {
    this.guard(() => {
      writeWhole(join(this.folder, 'key.pem'), key, 0o600)
      writeWhole(join(this.folder, 'cert.pem'), certificate, 0o644)
    })
  }

  /** Throws `WEFT_CA_FILES`. */
  writeCertificate(certificate: string): void {
    this.guard(() => writeWhole(join(this.folder, 'cert.pem'), certificate, 0o644))
  }

  /** Throws `WEFT_CA_FILES`. */
  writeRoots(roots: string): void {
    this.guard(() => writeWhole(join(this.folder, 'roots.pem'), roots, 0o644))
  }

  /** Throws `WEFT_CA_FILES`. */
  writeBundle({ roots, revoked }: Bundle): void {
    this.writeRoots(roots)
    this.guard(() => writeWhole(join(this.folder, 'revoked.crl'), revoked, 0o644))
  }

  private guard(write: () => void): void {
    try {
      write()
    } catch (cause) {
      throw new WeftError('WEFT_CA_FILES', `${this.folder} cannot be written: ${(cause as Error).message}`, {
        hint: 'name a folder that this user may write with --out',
        cause,
      })
    }
  }
}

/** What an operator was given; without a key where it came with a request. Throws `WEFT_CA_FILES`. */
export function writeIssued(
  folder: string,
  { chain, key, roots }: { chain: string; key: string | null; roots: string },
) {
  const files = new CertificateFiles(folder)
  if (key === null) files.writeCertificate(chain)
  else files.writePair({ certificate: chain, key })
  files.writeRoots(roots)
}
