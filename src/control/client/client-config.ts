/**
 * Where the server is and who asks: options stand above the environment, that above the file, that above the default.
 *
 * The file: `$WEFT_CONFIG`, or `weft/client.yaml` in `$XDG_CONFIG_HOME` or `~/.config`, with `server`, `token`,
 * `tokenFile` and `ca`.
 */
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import * as z from 'zod'
import { findingsOf } from '../../config/checks/findings.js'
import { formatPath } from '../../config/checks/path.js'
import { parseText } from '../../config/files/load.js'
import { WeftError } from '../../errors.js'
import type { ApiClientOptions } from './api-client.js'

export interface ClientOptions {
  server?: string
  token?: string
  ca?: string
}

export const defaultServer = 'http://127.0.0.1:7400'

const clientFile = z.strictObject({
  server: z.string().optional(),
  token: z.string().optional(),
  tokenFile: z.string().optional(),
  ca: z.string().optional(),
})

/** Throws `WEFT_CLIENT_CONFIG`. */
export async function resolveClient(options: ClientOptions, env: NodeJS.ProcessEnv): Promise<ApiClientOptions> {
  const file = env.WEFT_CONFIG ?? join(env.XDG_CONFIG_HOME ?? join(homedir(), '.config'), 'weft', 'client.yaml')
  const written = await readClientFile(file, env.WEFT_CONFIG !== undefined)
  const fromFile = (name: string | undefined) => (name === undefined ? null : read(resolve(dirname(file), name)))
  const token = options.token ?? env.WEFT_TOKEN ?? written.token ?? (await fromFile(written.tokenFile))?.trim()
  const ca = options.ca ?? env.WEFT_CA
  return {
    server: options.server ?? env.WEFT_SERVER ?? written.server ?? defaultServer,
    token: token ?? null,
    ca: ca !== undefined ? await read(ca) : await fromFile(written.ca),
  }
}

async function readClientFile(file: string, named: boolean): Promise<z.output<typeof clientFile>> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT' && !named) return ''
    throw new WeftError('WEFT_CLIENT_CONFIG', `cannot read ${file}`, { hint: cause.message, cause })
  })
  const value = parseText(text, file)
  const parsed = clientFile.safeParse(value)
  if (parsed.success) return parsed.data
  const issues = findingsOf(clientFile, value, parsed.error.issues).map(({ path, ...rest }) => {
    return { path: formatPath(path), ...rest, line: null }
  })
  throw new WeftError('WEFT_CLIENT_CONFIG', `${file} is not as it must be`, { issues })
}

function read(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((cause) => {
    throw new WeftError('WEFT_CLIENT_CONFIG', `cannot read ${file}`, { hint: (cause as Error).message, cause })
  })
}
