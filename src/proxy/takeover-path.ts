/**
 * Where the process that serves a configuration file waits for the one that follows it: a unix socket in a folder that
 * only its user can enter, named after the file.
 */
import { mkdir, realpath, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { WeftError } from '../errors.js'

/** The system's bound on the path of a unix socket, in bytes. */
const maxPathBytes = 107

/** The same for every path that leads to the same file. Throws `WEFT_TAKEOVER_PATH` when the folder is not ours alone. */
export async function takeoverPath(file: string, env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const uid = process.getuid?.() ?? 0
  const folder = join(env.XDG_RUNTIME_DIR ?? tmpdir(), `weft-${uid}`)
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((cause) => refuse(folder, 'it cannot be made', cause))
  const { uid: owner, mode } = await stat(folder)
  if (owner !== uid || (mode & 0o077) !== 0) refuse(folder, 'others may enter it')
  const path = join(folder, `${nameOf(await realpath(file).catch(() => resolve(file)))}.sock`)
  if (Buffer.byteLength(path) > maxPathBytes) refuse(folder, 'its path is too long for a unix socket')
  return path
}

function refuse(folder: string, why: string, cause?: unknown): never {
  throw new WeftError('WEFT_TAKEOVER_PATH', `cannot wait for a takeover in ${folder}: ${why}`, {
    hint: 'set XDG_RUNTIME_DIR to a folder of this user',
    cause,
  })
}

/** The end of the path, for people, and all of it as FNV-1a, for certainty. */
function nameOf(path: string): string {
  let hash = 0xcbf29ce484222325n
  for (const byte of Buffer.from(path)) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn
  const tail = path.replace(/[^A-Za-z0-9]+/g, '-').slice(-24)
  return `${tail}-${hash.toString(16).padStart(16, '0')}`
}
