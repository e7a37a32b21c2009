// Masks fields of JSON answers, at any depth. It parses whole bodies, so it runs in the pool.
import { defineFilter } from 'weftmesh'
import * as z from 'zod'

export default defineFilter({
  name: 'redact',
  options: z.object({ fields: z.array(z.string()).min(1), mask: z.string().default('***') }),
  onRequest({ headers }) {
    // What is compressed could not be read.
    headers.delete('accept-encoding')
  },
  onResponseBody(body, { options: { fields, mask } }) {
    const { headers } = body.response
    if (!headers.get('content-type')?.includes('json')) return
    headers.delete('etag')
    // Throws when it is no JSON: then `onFailure: closed` keeps it in.
    return JSON.stringify(body.json(), (name, value) => (fields.includes(name) ? mask : value))
  },
})
