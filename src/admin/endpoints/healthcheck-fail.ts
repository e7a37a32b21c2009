/** POST `/healthcheck/fail`: readiness answers 503 from now on, so that load balancers look elsewhere; traffic is served. */
import { type AdminEndpoint, textAnswer } from '../endpoint.js'

export const healthcheckFail: AdminEndpoint = {
  method: 'POST',
  path: '/healthcheck/fail',
  about: '/ready answers 503 until /healthcheck/ok; listeners go on serving',
  answer({ proxy }) {
    proxy.failHealthcheck(true)
    return textAnswer(`${proxy.status().state}\n`)
  },
}
