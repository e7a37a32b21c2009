/** `/ready`: may traffic be sent here? 503 from the moment a drain begins, and while `/healthcheck/fail` is in force. */
import { type AdminEndpoint, textAnswer } from '../endpoint.js'

export const ready: AdminEndpoint = {
  method: 'GET',
  path: '/ready',
  about: '200 while traffic may be sent here, else 503',
  answer({ proxy }) {
    const { state } = proxy.status()
    return textAnswer(`${state}\n`, state === 'ready' ? 200 : 503)
  },
}
