/** Where the keys of authorities lie: `DATA/ca`, which nobody but its owner may look into. */
import { mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { WeftError } from '../../errors.js'
import type { AuthorityConfig, ControlConfig } from '../config/control-config.js'
import type { AuthorityFolder } from './authority-files.js'
import { readSecret } from './key-file.js'
import { minSecretLength } from './sealed-keys.js'

/** Makes the folder. Throws `WEFT_CA_KEY`. */
export function placeOf(
  { data }: Pick<ControlConfig, 'data'>,
  { passphraseFile, keyEncryption }: AuthorityConfig,
): AuthorityFolder {
  const folder = join(data, 'ca')
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new WeftError('WEFT_CA_KEY', `cannot make the folder ${folder}: ${(cause as Error).message}`, { cause })
  }
  const mode = statSync(folder).mode & 0o777
  if ((mode & 0o077) !== 0) {
    throw new WeftError('WEFT_CA_KEY', `others may look into ${folder}: its mode is ${mode.toString(8)}`, {
      hint: `chmod 700 ${folder}`,
    })
  }
  const passphrase = passphraseFile === null ? null : readSecret(passphraseFile).trimEnd()
  if (passphrase === '') throw new WeftError('WEFT_CA_KEY', `${passphraseFile} holds no passphrase`)
  return { folder, passphrase, secret: keyEncryption === null ? null : readShared(keyEncryption) }
}

function readShared(file: string): string {
  const secret = readSecret(file).trim()
  if (secret.length >= minSecretLength) return secret
  throw new WeftError(
    'WEFT_CA_KEY',
    `${file} holds ${secret.length} characters, at least ${minSecretLength} are needed`,
    {
      path: 'authority.keyEncryption',
      hint: 'openssl rand -base64 32',
    },
  )
}
