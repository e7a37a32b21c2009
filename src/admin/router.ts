/** The list of admin endpoints, and which of them answers a request. */
import type { DoorAnswer, DoorRequest } from '../door/uws.js'
import { type AdminContext, type AdminEndpoint, columns, textAnswer } from './endpoint.js'
import { clusters } from './endpoints/clusters.js'
import { configDump } from './endpoints/config-dump.js'
import { drain } from './endpoints/drain.js'
import { live } from './endpoints/live.js'
import { ready } from './endpoints/ready.js'
import { stats } from './endpoints/stats.js'
import { statsPrometheus } from './endpoints/stats-prometheus.js'

export const endpoints: readonly AdminEndpoint[] = [ready, live, stats, statsPrometheus, configDump, clusters, drain]

/** Answers any request. Nothing thrown by an endpoint leaves this function: an open door must not meet an exception. */
export function answerAdmin(context: AdminContext, { method, path, query }: DoorRequest): DoorAnswer {
  const endpoint = endpoints.find((candidate) => candidate.path === path)
  if (path === '/') return textAnswer(index())
  if (endpoint === undefined) return textAnswer(`there is no ${path}; known:\n\n${index()}`, 404)
  if (method !== endpoint.method && !(method === 'HEAD' && endpoint.method === 'GET')) {
    const refusal = textAnswer(`${path} answers ${endpoint.method} only\n`, 405)
    return { ...refusal, headers: { ...refusal.headers, allow: endpoint.method } }
  }
  try {
    return endpoint.answer(context, query)
  } catch (error) {
    return textAnswer(`${error instanceof Error ? error.message : String(error)}\n`, 500)
  }
}

function index(): string {
  return columns(endpoints.map(({ method, path, about }) => [method, path, about]))
}
