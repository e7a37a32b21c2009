/**
 * Lets a module of a user say `import { defineFilter } from 'weftmesh'` where no `node_modules` holds the package: beside
 * a configuration in /etc, under the one-file command or a global installation.
 *
 * Invariants: a copy that Node finds by itself is used as it stands, and then nothing is installed here: the hooks of
 * Node 20 run in a thread of their own, which costs each loading thread 8 MiB and 50 ms. Once per thread.
 */
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import Module, { createRequire, register } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const name = 'weftmesh'

/** Runs in the thread of the hooks. `own` is a file of this package, from where its own name always resolves. */
const hooks = `let own
export const initialize = (url) => { own = url }
export async function resolve(specifier, context, next) {
  if (specifier !== '${name}' && !specifier.startsWith('${name}/')) return next(specifier, context)
  try {
    return await next(specifier, context)
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
    return next(specifier, { ...context, parentURL: own })
  }
}`

let offered = false

/** To be called before `module`, a `file:` URL, is imported. */
export function offerOwnPackage(module: URL): void {
  if (offered || module.protocol !== 'file:' || findsPackage(module)) return
  offered = true
  const own = import.meta.url
  register(`data:text/javascript,${encodeURIComponent(hooks)}`, { data: own })
  offerToRequire(createRequire(own))
}

/** Whether Node finds the package from where `module` lies: installed above it, or because it is a file of the package. */
function findsPackage(module: URL): boolean {
  const file = fileURLToPath(module)
  let folder = dirname(existsSync(file) ? realpathSync(file) : file)
  for (;;) {
    if (existsSync(join(folder, 'node_modules', name, 'package.json'))) return true
    if (isOwnFolder(folder)) return true
    const parent = dirname(folder)
    if (parent === folder) return false
    folder = parent
  }
}

function isOwnFolder(folder: string): boolean {
  try {
    const { name: found, exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    return found === name && exports !== undefined
  } catch {
    return false
  }
}

/** For modules that are CommonJS, which the hooks of Node 20 do not reach. */
function offerToRequire(own: NodeJS.Require): void {
  const loader = Module as unknown as { _resolveFilename(request: string, ...rest: unknown[]): string }
  const resolve = loader._resolveFilename
  loader._resolveFilename = function resolveFilename(request, ...rest) {
    try {
      return resolve.call(this, request, ...rest)
    } catch (error) {
      if (request !== name && !request.startsWith(`${name}/`)) throw error
      return resolve.call(this, own.resolve(request))
    }
  }
}
