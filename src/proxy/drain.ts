/**
 * The graceful end of a proxy: no new work, then a bounded wait for the work that is open.
 *
 * The engine has no event for "the last exchange ended", and a drain is rare, so `active` is asked every 20 ms.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Addon } from '../native/index.js'

const pollMs = 20

/**
 * Resolves with the number of exchanges that were still open at the deadline: 0 when all of them finished. `keepOutbound`
 * leaves the application's own requests as they are; a later call without it ends them too.
 */
export async function drain(
  addon: Pick<Addon, 'stopAccepting' | 'active'>,
  proxy: number,
  { deadlineMs, keepOutbound }: { deadlineMs: number; keepOutbound: boolean },
): Promise<number> {
  addon.stopAccepting(proxy, keepOutbound)
  const end = performance.now() + deadlineMs
  let open = addon.active(proxy)
  while (open > 0 && performance.now() < end) {
    await delay(pollMs)
    open = addon.active(proxy)
  }
  return open
}
