/** The list of admin endpoints, and which of them answers a request. */
import type { DoorAnswer, DoorRequest } from '../door/small-door.js'
import { type AdminContext, type AdminEndpoint, columns, textAnswer } from './endpoint.js'
import { clusters } from './endpoints/clusters.js'
import { configDump } from './endpoints/config-dump.js'
import { drain } from './endpoints/drain.js'
import { explain } from './endpoints/explain.js'
import { healthcheckFail } from './endpoints/healthcheck-fail.js'
import { healthcheckOk } from './endpoints/healthcheck-ok.js'
import { listeners } from './endpoints/listeners.js'
import { live } from './endpoints/live.js'
import { logging } from './endpoints/logging.js'
import { mirror } from './endpoints/mirror.js'
import { ready } from './endpoints/ready.js'
import { records } from './endpoints/records.js'
import { routeSwitch } from './endpoints/route-switch.js'
import { serverInfo } from './endpoints/server-info.js'
import { stats } from './endpoints/stats.js'
import { statsPrometheus } from './endpoints/stats-prometheus.js'
import { why } from './endpoints/why.js'

export const endpoints: readonly AdminEndpoint[] = [
  ready,
  live,
  serverInfo,
  stats,
  statsPrometheus,
  listeners,
  clusters,
  records,
  why,
  explain,
  mirror,
  configDump,
  logging,
  healthcheckFail,
  healthcheckOk,
  routeSwitch,
  drain,
]

/** Answers any request. Nothing thrown by an endpoint leaves this function: an open door must not meet an exception. */
export function answerAdmin(context: AdminContext, { method, path, query }: DoorRequest): DoorAnswer {
  if (path === '/') return textAnswer(index())
  const endpoint = endpoints.find((candidate) => takes(candidate, path))
  if (endpoint === undefined) return textAnswer(`there is no ${path}; known:\n\n${index()}`, 404)
  if (method !== endpoint.method && !(method === 'HEAD' && endpoint.method === 'GET')) {
    const refusal = textAnswer(`${path} answers ${endpoint.method} only\n`, 405)
    return { ...refusal, headers: { ...refusal.headers, allow: endpoint.method } }
  }
  try {
    return endpoint.answer(context, query, endpoint.path.endsWith(anyId) ? lastSegment(path) : '')
  } catch (error) {
    return textAnswer(`${error instanceof Error ? error.message : String(error)}\n`, 500)
  }
}

const anyId = '/ID'

function takes({ path }: AdminEndpoint, asked: string): boolean {
  if (!path.endsWith(anyId)) return path === asked
  const folder = path.slice(0, -2)
  return asked.startsWith(folder) && asked.length > folder.length && !asked.slice(folder.length).includes('/')
}

/** A client's request id may hold anything; what is no valid escape stands for itself. */
function lastSegment(path: string): string {
  const segment = path.slice(path.lastIndexOf('/') + 1)
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

function index(): string {
  return columns(endpoints.map(({ method, path, about }) => [method, path, about]))
}
