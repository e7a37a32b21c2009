// The hops of the shop as the proxies count them: from whom to whom, how many, how many failed, how long they took.

const frontends = ['frontend', 'frontend-b']

/** In the order in which a request takes them; `cluster` is the caller's own. */
const hops = [
  { from: 'edge', proxies: ['edge'], clusters: ['frontend'], to: 'frontend a', depth: 0 },
  { from: 'edge', proxies: ['edge'], clusters: ['frontend-b'], to: 'frontend b', depth: 0 },
  { from: 'frontend', proxies: frontends, clusters: ['details'], to: 'details (Go)', depth: 1 },
  { from: 'frontend', proxies: frontends, clusters: ['reviews-v1'], to: 'reviews v1', depth: 1 },
  { from: 'frontend', proxies: frontends, clusters: ['reviews-v2'], to: 'reviews v2', depth: 1 },
  { from: 'frontend', proxies: frontends, clusters: ['reviews-v3'], to: 'reviews v3', depth: 1 },
  { from: 'reviews', proxies: ['reviews-v2', 'reviews-v3'], clusters: ['ratings'], to: 'ratings (Python)', depth: 2 },
]

/** Statistics of every proxy, by its name. */
export async function readStats(admin) {
  const read = async ([name, url]) => [name, await (await fetch(`${url}/stats?format=json`)).json()]
  return Object.fromEntries(await Promise.all(Object.entries(admin).map(read)))
}

/** One row per hop, and below the one to the ratings one for each endpoint. `before` makes it the time since then. */
export function hopRows(stats, before = null) {
  return hops.flatMap((hop) => {
    const now = sum(hop, stats)
    const row = { ...hop, ...(before === null ? now : difference(now, sum(hop, before))) }
    return [
      row,
      ...row.endpoints.map((endpoint) => ({ ...endpoint, depth: hop.depth + 1, to: `endpoint ${endpoint.to}` })),
    ]
  })
}

function sum({ proxies, clusters }, stats) {
  const total = { requests: 0, failed: 0, attempts: 0, buckets: [], bounds: [], endpoints: new Map() }
  for (const { series, clusters: known, durationBoundsMs } of proxies.map((name) => stats[name])) {
    total.bounds = durationBoundsMs
    for (const { requests, status, buckets } of series.filter(({ cluster }) => clusters.includes(cluster))) {
      total.requests += requests
      if (status >= 500 || status === 0) total.failed += requests
      buckets.forEach((count, at) => {
        total.buckets[at] = (total.buckets[at] ?? 0) + count
      })
    }
    for (const { endpoints } of known.filter(({ name }) => clusters.includes(name)))
      for (const { address, requests, failures, serverErrors } of endpoints) {
        const sofar = total.endpoints.get(address) ?? { requests: 0, failed: 0 }
        total.endpoints.set(address, {
          requests: sofar.requests + requests,
          failed: sofar.failed + failures + serverErrors,
        })
        total.attempts += requests
      }
  }
  const endpoints = [...total.endpoints].map(([to, counts]) => ({ to, ...counts }))
  // One endpoint tells nothing that its hop does not.
  return { ...total, endpoints: endpoints.length > 1 ? endpoints : [] }
}

function difference(now, before) {
  const less = (a, b) => ({ ...a, requests: a.requests - b.requests, failed: a.failed - b.failed })
  return {
    ...less(now, before),
    attempts: now.attempts - before.attempts,
    buckets: now.buckets.map((count, at) => count - (before.buckets[at] ?? 0)),
    endpoints: now.endpoints.map((endpoint) => {
      const known = before.endpoints.find(({ to }) => to === endpoint.to)
      return known === undefined ? endpoint : less(endpoint, known)
    }),
  }
}

/** The duration below which so many percent lie, in ms, from counts per bucket; within a bucket by proportion. */
export function percentileMs({ buckets, bounds }, percent) {
  const total = buckets.reduce((sum, count) => sum + count, 0)
  let rest = (total * percent) / 100
  for (const [at, count] of buckets.entries()) {
    if (count > 0 && rest <= count) {
      const low = bounds[at - 1] ?? 0
      return low + ((bounds[at] ?? low) - low) * (rest / count)
    }
    rest -= count
  }
  return 0
}
