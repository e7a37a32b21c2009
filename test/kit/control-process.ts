/** `weft control` as a process, and `weft` commands that talk to it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Program } from './program.js'
import { scratchFolder } from './scratch.js'

const entry = join(import.meta.dirname, '../../dist/weft.js')

export interface ControlProcess {
  program: Program
  url: string
  /** Where data planes connect. */
  xds: string
  data: string
  token: string
  /** Runs a command to its end. */
  weft(...args: string[]): Promise<{ code: number | string; stdout: string; stderr: string }>
  /** Starts a command. */
  start(...args: string[]): Program
}

export async function startControlProcess(...args: string[]): Promise<ControlProcess> {
  const data = args.includes('--data') ? (args[args.indexOf('--data') + 1] ?? '') : scratchFolder()
  const listen = args.includes('--listen') ? [] : ['--listen', '127.0.0.1:0']
  const xdsOption = args.includes('--xds') ? [] : ['--xds', '127.0.0.1:0']
  const all = [entry, 'control', ...listen, ...xdsOption, ...args, ...(args.includes('--data') ? [] : ['--data', data])]
  const program = new Program(process.execPath, all)
  const [, url = '', xds = ''] = await program.says(/control ready in \d+ ms: (http\S+), xDS on (\S+),/)
  const token = readToken(data)
  const env = { WEFT_SERVER: url, WEFT_TOKEN: token, XDG_CONFIG_HOME: data }
  const start = (...command: string[]) => new Program(process.execPath, [entry, ...command], { env })
  return {
    ...{ program, url, xds, data, token, start },
    async weft(...command) {
      const run = start(...command)
      const code = await run.end()
      return { code, stdout: run.stdout, stderr: run.stderr }
    },
  }
}

function readToken(data: string): string {
  try {
    return readFileSync(join(data, 'admin.token'), 'utf8').trim()
  } catch {
    return '' // another replica made it
  }
}
