// Turns every byte over, as the bodies stream, after a turn of the loop.
import { setImmediate } from 'node:timers/promises'
import { defineFilter } from '../../../dist/index.js'

const invert = async ({ data }) => {
  await setImmediate()
  return data.map((byte) => byte ^ 0xff)
}

export default defineFilter({
  name: 'invert',
  requestBody: 'stream',
  responseBody: 'stream',
  onRequestBody: invert,
  onResponseBody: invert,
})
