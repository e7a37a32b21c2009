/**
 * Where the packed files may lie, best first: unpacked already beside the command (`/usr/lib/weft`, by a package), the
 * one folder that `WEFT_FILES` names, else a cache of this user. A folder that does not exist is made later.
 */
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** Holds the unpacked files when a package has put them there; is never written to. */
export function installedFolder(command = process.execPath): string {
  return join(dirname(dirname(command)), 'lib', 'weft')
}

export function writableFolders(env: NodeJS.ProcessEnv = process.env): string[] {
  if (env.WEFT_FILES !== undefined && env.WEFT_FILES !== '') return [env.WEFT_FILES]
  const own = `weft-${process.geteuid?.() ?? 0}`
  // systemd gives a unit with CacheDirectory= its folders in this variable.
  const [cache] = (env.CACHE_DIRECTORY ?? '').split(':')
  const caches = [env.XDG_CACHE_HOME, env.HOME && join(env.HOME, '.cache')].flatMap((folder) =>
    folder ? [join(folder, 'weft')] : [],
  )
  return [...(cache ? [cache] : []), ...caches, join(tmpdir(), own), join('/dev/shm', own)]
}

/** Whether programs may not be loaded from `folder`, which exists; the loader would only say so when it is too late. */
export function forbidsExecution(folder: string, mountInfo: string): boolean {
  let longest = ''
  let forbidden = false
  for (const line of mountInfo.split('\n')) {
    const [, , , , point = '', options = ''] = line.split(' ')
    const mount = point.replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)))
    const holds = mount === '/' || folder === mount || folder.startsWith(`${mount}/`)
    // Of two mounts on one point the later lies on top.
    if (!holds || mount === '' || mount.length < longest.length) continue
    longest = mount
    forbidden = options.split(',').includes('noexec')
  }
  return forbidden
}
