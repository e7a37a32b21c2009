/** `routes[].mirror[]` → the engine's mirrors. */
import type { ResolvedMirror } from '../../config/route-mirror.js'
import type { Mirror, MirrorDiff } from '../../native/snapshot.js'
import { type Ids, id } from './ids.js'

export function compileMirror(mirror: ResolvedMirror, clusterIds: Ids): Mirror {
  const { cluster, percent, timeout, maxConcurrent, maxBodyBytes, diff } = mirror
  return {
    cluster: id(clusterIds, cluster),
    sharePpm: percent,
    timeoutMs: timeout,
    maxConcurrent,
    maxBodyBytes,
    diff: diff && ({ ignore: diff.ignore, maxBodyBytes: diff.maxBodyBytes } satisfies MirrorDiff),
  } satisfies Mirror
}
