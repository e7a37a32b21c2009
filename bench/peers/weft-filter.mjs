// The usual filter: reads a header, sets another.
import { defineFilter } from '../../dist/index.js'

export default defineFilter({
  name: 'tenant',
  onRequest({ headers }) {
    headers.set('x-tenant', headers.get('host')?.split('.')[0] ?? 'none')
  },
})
