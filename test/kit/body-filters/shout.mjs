// Puts an exclamation mark behind whole bodies and says how long the answer was before.
import { defineFilter } from '../../../dist/index.js'

export default defineFilter({
  name: 'shout',
  onRequestBody: (body) => `${body.text()}!`,
  onResponseBody(body) {
    body.response.headers.set('x-length', `${body.data.length}`)
    return `${body.text()}!`
  },
})
