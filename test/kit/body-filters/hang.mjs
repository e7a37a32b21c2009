// Never decides about a request's body.
import { defineFilter } from '../../../dist/index.js'

export default defineFilter({
  name: 'hang',
  onRequestBody: () => new Promise(() => {}),
})
