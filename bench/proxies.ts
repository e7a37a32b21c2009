/**
 * The proxies under measurement, in the order in which they take turns: name, configuration and command of each.
 * A proxy that is not installed is left out with a line saying what is missing.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { dirname } from 'node:path'

export interface MeasuredProxy {
  readonly name: string
  /** Template in bench/peers; LISTEN_PORT, UPSTREAM_PORT, RUN_DIR and PEERS_DIR are filled in. */
  readonly template: string
  /** What has to happen between the configuration and the start, and is not part of it. */
  readonly prepare?: (config: string) => void
  /** The command, given the path of the filled-in configuration. */
  readonly command: (config: string) => string[]
  readonly version: () => string
  /** What has to be installed before it can run; null when it can. */
  readonly missing: () => string | null
}

export const DEFAULT_WEFT = 'node dist/weft.js run -c CONFIG'

/** The rivals. Weft itself is added by its command, because there is more than one way to start it. */
const PEERS: readonly MeasuredProxy[] = [
  {
    name: 'nginx',
    template: 'nginx.conf',
    command: (config) => ['nginx', '-e', 'stderr', '-c', config],
    version: () => firstMatch(['nginx', '-v'], /nginx\/(\S+)/),
    missing: () => (onPath('nginx') ? null : 'apt-get install nginx-light'),
  },
  {
    name: 'haproxy',
    template: 'haproxy.cfg',
    command: (config) => ['haproxy', '-db', '-q', '-f', config],
    version: () => firstMatch(['haproxy', '-v'], /version (\S+)/),
    missing: () => (onPath('haproxy') ? null : 'apt-get install haproxy'),
  },
  {
    name: 'envoy',
    template: 'envoy.yaml',
    command: (config) => [
      envoyPath() ?? 'envoy',
      '--concurrency',
      '1',
      '--disable-hot-restart',
      '--log-level',
      'error',
      '-c',
      config,
    ],
    version: () => firstMatch([envoyPath() ?? 'envoy', '--version'], /\/(\d+\.\d+\.\d+)/),
    missing: () => (envoyPath() ? null : 'scripts/setup --with-peers'),
  },
]

/** `weft` is a command line in which CONFIG is the path of the configuration, `weftAgent` the path of the agent. */
export function listProxies(weft: string, weftAgent: string | null): MeasuredProxy[] {
  const agents = weftAgent === null ? [] : [agentProxy(weftAgent)]
  return [weftProxy(weft), ...agents, ...PEERS]
}

/** The agent takes the snapshot that the command of this checkout compiles. */
function agentProxy(program: string): MeasuredProxy {
  const compiler = 'dist/weft.js'
  const absent = [program, compiler].find((file) => !existsSync(file))
  return {
    name: 'weft-agent',
    template: 'weft.yaml',
    prepare: (config) => {
      execFileSync('node', [compiler, 'compile', '-c', config, '-o', `${config}.snapshot`])
    },
    command: (config) => [program, `${config}.snapshot`],
    version: () => firstMatch([program, '--version'], /(\d\S+)/),
    missing: () => (absent === undefined ? null : `${absent} is not there: build it first`),
  }
}

function weftProxy(line: string): MeasuredProxy {
  const words = line.split(' ').filter((word) => word !== '')
  if (!line.includes('CONFIG')) words.push('-c', 'CONFIG')
  const script = words[0] === 'node' ? words[1] : words[0]
  return {
    name: 'weft',
    template: 'weft.yaml',
    command: (config) => words.map((word) => word.replace('CONFIG', config)),
    version: () => firstMatch(['git', '-C', dirname(script ?? ''), 'describe', '--always'], /^(\S+)$/m),
    missing: () => (script && (existsSync(script) || onPath(script)) ? null : `${script} is not there: npm run build`),
  }
}

/** The wheel's `bin/envoy` is a Python starter; the binary itself lies beside the package. */
function envoyPath(): string | null {
  const libraries = '.peers/envoy/lib'
  const pythons = existsSync(libraries) ? readdirSync(libraries) : []
  const paths = pythons.map((python) => `${libraries}/${python}/site-packages/envoy/_bin/envoy`)
  return paths.find((path) => existsSync(path)) ?? (onPath('envoy') ? 'envoy' : null)
}

function onPath(program: string): boolean {
  return (process.env.PATH ?? '').split(':').some((folder) => existsSync(`${folder}/${program}`))
}

function firstMatch(command: readonly string[], pattern: RegExp): string {
  const [program = '', ...args] = command
  try {
    const text = execFileSync('sh', ['-c', '"$0" "$@" 2>&1', program, ...args], { encoding: 'utf8' })
    return pattern.exec(text)?.[1] ?? 'unknown'
  } catch {
    return 'unknown'
  }
}
