// Looks at bodies as they stream, and fails at the third part of each.
import { defineFilter } from '../../../dist/index.js'

const look = (_body, { state }) => {
  state.parts += 1
  if (state.parts > 2) throw new Error('enough')
}

export default defineFilter({
  name: 'fails-late',
  state: () => ({ parts: 0 }),
  requestBody: 'stream',
  responseBody: 'stream',
  onRequestBody: look,
  onResponseBody: look,
})
