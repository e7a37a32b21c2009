/** The benchmark's own tool, weft-load (bench/load): built when needed, run as a child, its JSON line read. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { type Running, startProcess } from './processes.js'

/** The generator and the upstream share this core; the proxy has core 0 for itself. */
export const LOAD_CORE = 1

export interface LoadResult {
  readonly requests: number
  readonly errors: number
  readonly first_error: string | null
}

export interface ClosedResult extends LoadResult {
  readonly seconds: number
  readonly rps: number
  readonly p50_us: number
  readonly p99_us: number
}

export interface OpenResult extends LoadResult {
  /** Sends over 250 µs late because the machine kept the generator waiting. */
  readonly late_sends: number
  /** The same because every connection waited for an answer. */
  readonly queued_sends: number
  readonly p50_us: number
  readonly p90_us: number
  readonly p99_us: number
  readonly p999_us: number
  readonly max_us: number
}

export interface IdleResult {
  readonly connections: number
  readonly open: number
  readonly errors: number
  readonly first_error: string | null
}

/** Builds weft-load (nothing to do when it is fresh) and returns its path. */
export function buildLoad(): string {
  execFileSync('cargo', ['build', '--release', '--quiet', '--locked', '-p', 'weft-load'], { stdio: 'inherit' })
  return `${process.env.CARGO_TARGET_DIR ?? 'target'}/release/weft-load`
}

/** Starts the upstream on a free port and returns that port. */
export async function startUpstream(program: string): Promise<{ upstream: Running; port: number }> {
  const upstream = startProcess([program, 'upstream', '--port', '0'], LOAD_CORE)
  await Promise.race([once(upstream.child.stdout ?? upstream.child, 'data'), upstream.ended])
  const port = Number(/^listening 127\.0\.0\.1:(\d+)$/m.exec(upstream.output())?.[1])
  if (!port) throw new Error(`the upstream did not start: ${upstream.output()}`)
  return { upstream, port }
}

export interface LoadOptions {
  readonly [option: string]: string | number
}

/**
 * Runs one command of weft-load to its end; a run with a failed request is no measurement and throws.
 * `onHolding` is called when `idle` has all its connections up, `onStart` when the process is there.
 */
export async function runLoad<Result extends { errors: number; first_error: string | null }>(
  program: string,
  command: string,
  options: LoadOptions,
  { onHolding, onStart }: { onHolding?: () => void; onStart?: (pid: number) => void } = {},
): Promise<Result> {
  const words = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
  const running = startProcess([program, command, ...words], LOAD_CORE)
  onStart?.(running.pid)
  if (onHolding) {
    const watch = () => {
      if (!/^holding$/m.test(running.output())) return
      running.child.stdout?.off('data', watch)
      onHolding()
    }
    running.child.stdout?.on('data', watch)
  }
  await running.ended
  const line = running.output().split('\n').at(-1) ?? ''
  if (running.child.exitCode !== 0) throw new Error(`weft-load ${command} ended badly: ${running.output()}`)
  const result = JSON.parse(line) as Result
  if (result.errors > 0) throw new Error(`${result.errors} requests failed, the first by: ${result.first_error}`)
  return result
}
