/** POST `/drain`: the graceful end, as SIGTERM begins it. */
import { type AdminEndpoint, textAnswer } from '../endpoint.js'

export const drain: AdminEndpoint = {
  method: 'POST',
  path: '/drain',
  about: 'finish open exchanges, then end the process',
  answer(context) {
    context.drain()
    return textAnswer('draining\n', 202)
  },
}
