/** POST `/healthcheck/ok`: takes `/healthcheck/fail` back. */
import { type AdminEndpoint, textAnswer } from '../endpoint.js'

export const healthcheckOk: AdminEndpoint = {
  method: 'POST',
  path: '/healthcheck/ok',
  about: 'takes /healthcheck/fail back',
  answer({ proxy }) {
    proxy.failHealthcheck(false)
    return textAnswer(`${proxy.status().state}\n`)
  },
}
