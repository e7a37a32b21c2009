/** Two series of the same labels as one: the counts of both. */
import type { Series } from '../native/index.js'

export function addSeries(a: Series, b: Series): Series {
  return {
    ...a,
    requests: a.requests + b.requests,
    requestBytes: a.requestBytes + b.requestBytes,
    responseBytes: a.responseBytes + b.responseBytes,
    durationSumUs: a.durationSumUs + b.durationSumUs,
    buckets: addCounts(a.buckets, b.buckets),
    requestSizes: addCounts(a.requestSizes, b.requestSizes),
    responseSizes: addCounts(a.responseSizes, b.responseSizes),
  }
}

function addCounts(a: readonly number[], b: readonly number[]): number[] {
  return a.map((count, at) => count + (b[at] ?? 0))
}
