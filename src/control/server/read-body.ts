/**
 * The body of a request: bounded in bytes, depth and number of values; JSON, or YAML with several documents.
 *
 * Invariant: YAML's aliases are followed before anything is copied, so that a small text cannot become a large value.
 */
import type { IncomingMessage } from 'node:http'
import { CORE_SCHEMA, loadAll, YAMLException } from 'js-yaml'
import { WeftError } from '../../errors.js'

const maxDepth = 64
const maxValues = 1_000_000

/** Undefined for an empty body. Throws `WEFT_API_TOO_LARGE`, `WEFT_API_REQUEST` or `WEFT_CONFIG_SYNTAX`. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  const tooLarge = new WeftError('WEFT_API_TOO_LARGE', `the body has more than ${maxBytes} bytes`, {
    hint: 'send it in several parts, or raise limits.maxBodyBytes',
  })
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge
  const bytes = await collect(request, maxBytes, tooLarge)
  if (bytes.length === 0) return undefined
  const value = parse(bytes.toString(), request.headers['content-type'] ?? '')
  checkSize(value)
  return value
}

/** By events: leaving a loop over the request would close the connection before it is answered. */
function collect(request: IncomingMessage, maxBytes: number, tooLarge: WeftError): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= maxBytes) chunks.push(chunk)
      else {
        request.removeAllListeners('data').pause()
        reject(tooLarge)
      }
    })
    request.once('end', () => resolve(Buffer.concat(chunks)))
    request.once('error', reject)
    request.once('close', () => reject(new Error('the caller has gone')))
  })
}

function parse(text: string, contentType: string): unknown {
  if (/\byaml\b/.test(contentType)) return { resources: parseYaml(text) }
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new WeftError('WEFT_CONFIG_SYNTAX', `the body is not JSON: ${(cause as Error).message}`, {
      hint: 'for YAML say content-type: application/yaml',
      cause,
    })
  }
}

function parseYaml(text: string): unknown[] {
  try {
    return loadAll(text, { schema: CORE_SCHEMA }).filter((document) => document !== null && document !== undefined)
  } catch (cause) {
    if (!(cause instanceof YAMLException)) throw cause
    const { line, column } = cause.mark ?? { line: 0, column: 0 }
    throw new WeftError('WEFT_CONFIG_SYNTAX', `line ${line + 1}, column ${column + 1}: ${cause.reason}`, { cause })
  }
}

/** Walks every path to every value, shared ones each time, and stops at the bounds. */
function checkSize(root: unknown): void {
  const waiting: { value: unknown; depth: number }[] = [{ value: root, depth: 0 }]
  let values = 0
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { value, depth } = next
    values += 1
    if (values > maxValues || depth > maxDepth) {
      throw new WeftError(
        'WEFT_API_TOO_LARGE',
        `the body has more than ${maxValues} values or is deeper than ${maxDepth}`,
      )
    }
    if (typeof value !== 'object' || value === null) continue
    for (const inner of Object.values(value)) waiting.push({ value: inner, depth: depth + 1 })
  }
}
