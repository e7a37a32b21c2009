/**
 * Private keys in files: PKCS #8, for their owner alone, locked with a passphrase when there is one.
 *
 * Invariants: a key that others can read is not used; a file that replaces another comes whole, by rename, and is there
 * after a cut of power once it was written.
 */
import { createPrivateKey } from 'node:crypto'
import { closeSync, fstatSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { WeftError } from '../../errors.js'

/** Resolves with the key as PKCS #8 without a passphrase. Throws `WEFT_CA_KEY`. */
export function readKey(file: string, passphrase: string | null): string {
  return unlock(readSecret(file), file, passphrase)
}

/** A file that only its owner may read. Throws `WEFT_CA_KEY`. */
export function readSecret(file: string): string {
  let descriptor: number
  try {
    descriptor = openSync(file, 'r')
  } catch (cause) {
    throw refused(`cannot read ${file}: ${(cause as NodeJS.ErrnoException).code}`, 'say where the file is', cause)
  }
  try {
    const mode = fstatSync(descriptor).mode & 0o777
    if ((mode & 0o077) !== 0) {
      const open = mode.toString(8).padStart(4, '0')
      throw refused(`others may read ${file}: its mode is ${open}`, `chmod 600 ${file}`)
    }
    return readFileSync(descriptor, 'utf8')
  } finally {
    closeSync(descriptor)
  }
}

function unlock(pem: string, file: string, passphrase: string | null): string {
  const locked = /ENCRYPTED/.test(pem)
  if (locked && passphrase === null) {
    throw refused(`${file} is locked, and there is no passphrase`, 'give authority.passphraseFile')
  }
  try {
    const key = createPrivateKey({ key: pem, ...(locked && passphrase !== null && { passphrase }) })
    return key.export({ type: 'pkcs8', format: 'pem' }).toString()
  } catch (cause) {
    if (locked) throw refused(`${file} does not open with the passphrase`, 'look at authority.passphraseFile', cause)
    throw refused(`${file} holds no private key`, 'a PEM file is needed that begins with BEGIN PRIVATE KEY', cause)
  }
}

/** Throws `WEFT_CA_KEY`. */
export function writeKey(file: string, pem: string, passphrase: string | null): void {
  const key = createPrivateKey(pem)
  const locked = passphrase === null ? {} : { cipher: 'aes-256-cbc', passphrase }
  writeWhole(file, key.export({ type: 'pkcs8', format: 'pem', ...locked }).toString(), 0o600)
}

/** Throws `WEFT_CA_KEY`. */
export function writeWhole(file: string, text: string, mode: number): void {
  const fresh = `${file}.new`
  try {
    const descriptor = openSync(fresh, 'w', mode)
    try {
      writeSync(descriptor, text)
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    renameSync(fresh, file)
    flushFolder(dirname(file))
  } catch (cause) {
    throw refused(`cannot write ${file}: ${(cause as Error).message}`, 'its folder must be writable', cause)
  }
}

/** After a rename: else a cut of power may take the name away again. */
function flushFolder(folder: string): void {
  const descriptor = openSync(folder, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function refused(message: string, hint: string, cause?: unknown): WeftError {
  return new WeftError('WEFT_CA_KEY', message, { hint, cause })
}
