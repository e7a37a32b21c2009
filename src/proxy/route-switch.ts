/** A route's requests go elsewhere at once, by the engine, until the next configuration. */
import type { Addon, Verdict } from '../native/index.js'
import type { Logger } from '../telemetry/logger.js'

export interface SwitchTarget {
  cluster: string
  /** The part of it where one label alone divides it, by the label's value. */
  subset: string | null
  percent: number
}

export interface SwitchVerdict {
  /** In force now. */
  generation: number
  /** Why nothing was switched. */
  error: string | null
}

export function switchRoute(
  addon: Addon,
  proxy: number,
  asked: { route: string; to: SwitchTarget | null },
  logger: Logger,
): SwitchVerdict {
  const { generation, rejected } = JSON.parse(addon.switchRoute(proxy, JSON.stringify(asked))) as Verdict
  const [refused] = rejected
  if (refused !== undefined) return { generation, error: refused.message }
  const { route, to } = asked
  if (to === null) logger.info('a route was switched back', { route, generation })
  else logger.info('a route was switched, until the next reload', { route, ...to, generation })
  return { generation, error: null }
}
