// Signs what goes to a cluster with a secret that the process shares with it.
import { createHmac } from 'node:crypto'
import { defineFilter } from 'weftmesh'

const secret = process.env.SIGNING_SECRET ?? 'for examples only'

export default defineFilter({
  name: 'sign',
  onRequest({ method, path, headers }) {
    const date = new Date().toUTCString()
    headers.set('x-signed-at', date)
    headers.set('x-signature', createHmac('sha256', secret).update(`${method} ${path} ${date}`).digest('hex'))
  },
})
