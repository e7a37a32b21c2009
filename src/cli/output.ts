/**
 * What commands print: results on standard output, findings on standard error; text for people, JSON for programs.
 * Colours only where the stream is a terminal and NO_COLOR is not set.
 */
import type { Code, Issue, WeftError } from '../errors.js'
import type { Paint } from '../telemetry/explanation-text.js'
import { painter, plain } from './paint.js'

export type Format = 'text' | 'json'

/** `invalid`: the configuration cannot be put in force, by itself or on this machine, and nothing was started. */
export const exitCodes = { ok: 0, failed: 1, invalid: 2 } as const

const invalid: ReadonlySet<Code> = new Set([
  ...(['WEFT_SNAPSHOT_REJECTED', 'WEFT_ADMIN_ADDRESS', 'WEFT_CLIENT_CONFIG', 'WEFT_API_KIND'] as const),
  ...(['WEFT_CONTROL_ADDRESS', 'WEFT_CONTROL_PLAIN', 'WEFT_CONTROL_CERTIFICATE', 'WEFT_BOOTSTRAP_INVALID'] as const),
])

export interface Output {
  format: Format
  /** Standard output, one result. */
  result(text: string, value: unknown): void
  /** Standard error; returns the exit code of the command. */
  failure(error: WeftError, file: string): number
}

export function createOutput(format: Format, stdout = process.stdout, stderr = process.stderr): Output {
  const paint = painter(stderr)
  return {
    format,
    result: (text, value) => void stdout.write(format === 'json' ? `${JSON.stringify(value)}\n` : `${text}\n`),
    failure(error, file) {
      const { code, message, hint, issues } = error
      if (format === 'json') stdout.write(`${JSON.stringify({ ok: false, file, code, message, hint, issues })}\n`)
      else stderr.write(`${describeFailure(error, file, paint)}\n`)
      return code.startsWith('WEFT_CONFIG_') || invalid.has(code) ? exitCodes.invalid : exitCodes.failed
    },
  }
}

export function describeFailure(error: WeftError, file: string, paint: Paint = plain): string {
  const [only, ...others] = error.issues
  // A single refusal by the engine is said once, in one line.
  if (only !== undefined && others.length === 0 && only.message === error.message) {
    return `${paint('red', 'error')}: ${describeIssue(only, file, paint).trimStart()}`
  }
  const head = `${paint('red', 'error')}: ${error.message}${error.hint === null ? '' : ` (${error.hint})`} ${paint('dim', `[${error.code}]`)}`
  // A single refusal by the engine is the message itself: one clear line.
  const issues = error.issues.filter(({ message }) => message !== error.message)
  return [head, ...issues.map((issue) => describeIssue(issue, file, paint))].join('\n')
}

/** `weft.yaml:12  routes[0].timout  `timout` is not a known key; did you mean `timeout`?  [WEFT_CONFIG_UNKNOWN_KEY]` */
function describeIssue({ path, code, message, hint, line, file: named }: Issue, file: string, paint: Paint): string {
  const place = line === null ? (named ?? file) : `${named ?? file}:${line}`
  const what = hint === null ? message : `${message}; ${hint}`
  return `  ${place}  ${paint('bold', path === '' ? '(root)' : path)}  ${what}  ${paint('dim', `[${code}]`)}`
}
