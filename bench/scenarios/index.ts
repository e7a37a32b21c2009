/** The list of scenarios, in the order in which they run. */
import { reload, takeover } from './change.js'
import { filter, h1Big, h1Small, h1SmallFew, pipeline, uws, uwsFilter } from './cpu-per-request.js'
import { fair } from './fair.js'
import { idle } from './idle.js'
import { latency } from './latency.js'
import { memory } from './memory.js'
import { overload } from './overload.js'
import { pool } from './pool.js'
import type { Scenario } from './scenario.js'
import { socketsCarried, socketsEcho, socketsIdle } from './sockets.js'
import { start } from './start.js'
import { traffic } from './traffic.js'

export const scenarios: readonly Scenario[] = [
  h1Small,
  h1SmallFew,
  h1Big,
  pipeline,
  filter,
  uws,
  uwsFilter,
  traffic,
  overload,
  fair,
  latency,
  pool,
  idle,
  memory,
  start,
  takeover,
  reload,
  socketsEcho,
  socketsCarried,
  socketsIdle,
]
