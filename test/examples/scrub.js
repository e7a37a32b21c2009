// Takes card numbers out of bodies. It reads all of a body, so it runs in the pool: `runIn: pool`.
import { defineFilter } from 'weftmesh'

const card = /\b\d(?:[ -]?\d){12,18}\b/g

export default defineFilter({
  name: 'scrub',
  onRequestBody(body) {
    const text = body.text()
    const clean = text.replace(card, '[card]')
    if (clean !== text) return clean
  },
})
