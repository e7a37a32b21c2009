/** `/why/ID`: everything about the newest exchange with this request id. */
import { type AdminEndpoint, jsonAnswer, textAnswer } from '../endpoint.js'
import { whyText } from '../why-text.js'

export const why: AdminEndpoint = {
  method: 'GET',
  path: '/why/ID',
  about: 'why the request with this x-request-id went where it went; ?format=json',
  answer({ proxy }, query, id) {
    const found = proxy.why(id)
    if (found === null) {
      const hint = 'the ring keeps the last `records.ring` exchanges of each worker'
      return query.get('format') === 'json'
        ? jsonAnswer({ error: 'not recorded', id, hint }, 404)
        : textAnswer(`there is no record of ${JSON.stringify(id)}: ${hint}\n`, 404)
    }
    return query.get('format') === 'json' ? jsonAnswer(found) : textAnswer(whyText(found))
  },
}
