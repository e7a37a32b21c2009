/**
 * A file of endpoints: a list of addresses as in `clusters[].endpoints`. Read where a schema library may be loaded: in
 * the thread that prepares, not in the main thread.
 */
import { dirname } from 'node:path'
import { findingsOf } from '../config/checks/findings.js'
import { formatPath } from '../config/checks/path.js'
import { endpointFile, type ResolvedEndpoint } from '../config/clusters/endpoint.js'
import { lineFinder, loadFile } from '../config/files/load.js'
import { type Watched, watched } from '../config/files/signature.js'
import { absoluteAddress } from '../config/forms/address.js'
import { type Issue, WeftError } from '../errors.js'

export interface EndpointFile {
  /** As it was before it was read. */
  watched: Watched
  endpoints: ResolvedEndpoint[]
  /** Why there are none; the caller keeps those that it has. */
  error: WeftError | null
}

export async function readEndpointFile(path: string): Promise<EndpointFile> {
  const before = watched(path)
  try {
    return { watched: before, endpoints: await endpointsOf(path), error: null }
  } catch (error) {
    if (!(error instanceof WeftError)) throw error
    return { watched: before, endpoints: [], error }
  }
}

async function endpointsOf(path: string): Promise<ResolvedEndpoint[]> {
  const { text, value, findings } = await loadFile(path)
  const parsed = endpointFile.safeParse(value)
  const all = [...findings, ...(parsed.success ? [] : findingsOf(endpointFile, value, parsed.error.issues))]
  if (parsed.success && all.length === 0) {
    return parsed.data.map((endpoint) => ({ ...endpoint, address: absoluteAddress(endpoint.address, dirname(path)) }))
  }
  const lineOf = await lineFinder(text)
  const issues: Issue[] = all.map((finding) => ({
    ...finding,
    path: formatPath(finding.path),
    line: lineOf(finding.path),
    file: path,
  }))
  const [first] = issues
  const place = first === undefined ? path : `${path}:${first.line ?? 1}`
  const at = first === undefined || first.path === '' ? '' : ` ${first.path}`
  throw new WeftError('WEFT_DISCOVERY_FILE', `${place}:${at} ${first?.message ?? 'is no list of endpoints'}`, {
    issues,
  })
}
