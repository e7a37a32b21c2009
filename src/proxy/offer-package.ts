/** Modules of sockets may import this package by its name, as those of filters may; called in the thread that loads them. */
import type { SocketPlan } from '../door/socket/load.js'
import { offerOwnPackage } from '../filters/own-package.js'

export function offerPackageTo(sockets: readonly Pick<SocketPlan, 'module'>[]): void {
  for (const { module } of sockets) if (module !== null) offerOwnPackage(new URL(module))
}
