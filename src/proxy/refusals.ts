/** What is refused after the configuration itself was found valid: by the threads, and by the engine. */
import { formatPath, type Path } from '../config/checks/path.js'
import type { SocketPlan } from '../door/socket/load.js'
import { type Code, WeftError } from '../errors.js'
import type { ScriptSource } from '../filters/script-source.js'
import type { Verdict } from '../native/index.js'

const stayHome = 'name its module, or serve on your own loop with workers: 0'

/** A definition that stands in the configuration itself stays on the loop of the one who wrote it. */
export function refuseToTravel(sockets: readonly SocketPlan[][], scripts: readonly ScriptSource[]): void {
  for (const [listener, plans] of sockets.entries()) {
    const place = plans.findIndex(({ handler }) => handler !== null)
    if (place === -1) continue
    const path = ['listeners', listener, 'sockets', place, 'handler']
    throw refused('WEFT_SOCKET_MODULE', path, 'a handler cannot travel to worker threads', stayHome)
  }
  const inline = scripts.find(({ definition }) => definition !== null)
  if (inline === undefined) return
  throw refused('WEFT_FILTER_ELSEWHERE', inline.path, 'a function cannot travel to worker threads', stayHome)
}

export function unloadable(scripts: readonly ScriptSource[], error: Error): WeftError {
  return refused('WEFT_FILTER_MODULE', scripts[0]?.path ?? [], `a filter cannot be loaded: ${error.message}`, null)
}

export function rejection({ rejected }: Verdict): WeftError {
  const issues = rejected.map(({ path, ...rest }) => ({ ...rest, path: bracketed(path), hint: null, line: null }))
  const [first] = issues
  const message = first === undefined ? 'the engine refused the configuration' : first.message
  return new WeftError('WEFT_SNAPSHOT_REJECTED', message, { issues })
}

function refused(code: Code, path: Path, message: string, hint: string | null): WeftError {
  const issue = { path: formatPath(path), code, message, hint, line: null }
  return new WeftError('WEFT_CONFIG_INVALID', `${issue.path}: ${message}`, { issues: [issue] })
}

/** The engine writes `listeners.0.address` where people read `listeners[0].address`. */
function bracketed(path: string): string {
  return path.replace(/\.(\d+)/g, '[$1]')
}
