/** `routes[].mirror[]` → the engine's mirrors. */
import type { ResolvedMirror } from '../../config/routes/mirror.js'
import type { Mirror, MirrorDiff } from '../../native/snapshot.js'
import { compileDestination, type Destinations } from './destination.js'

export function compileMirror(mirror: ResolvedMirror, destinations: Destinations): Mirror {
  const { cluster, subset, percent, timeout, maxConcurrent, maxBodyBytes, diff } = mirror
  return {
    ...compileDestination({ cluster, subset }, destinations),
    sharePpm: percent,
    timeoutMs: timeout,
    maxConcurrent,
    maxBodyBytes,
    diff: diff && ({ ignore: diff.ignore, maxBodyBytes: diff.maxBodyBytes } satisfies MirrorDiff),
  } satisfies Mirror
}
