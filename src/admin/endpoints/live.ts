/** `/live`: is the process worth keeping? It is, while its main loop answers. */
import { type AdminEndpoint, textAnswer } from '../endpoint.js'

export const live: AdminEndpoint = {
  method: 'GET',
  path: '/live',
  about: '200 while the process answers at all',
  answer: () => textAnswer('live\n'),
}
