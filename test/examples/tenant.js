// Puts the first label of the host into the header that the options name.
import { defineFilter } from 'weftmesh'

export default defineFilter({
  name: 'tenant',
  options: {
    // Any Standard Schema does: zod, valibot, arktype, or this.
    '~standard': {
      version: 1,
      vendor: 'by hand',
      validate: (value) =>
        typeof value?.header === 'string'
          ? { value: { header: value.header } }
          : { issues: [{ message: 'must be the name of a header', path: ['header'] }] },
    },
  },
  onRequest({ headers }, { options }) {
    const name = headers.get('host')?.split('.')[0]
    if (!name) return { status: 400, body: 'no tenant in host' }
    headers.set(options.header, name)
  },
})
