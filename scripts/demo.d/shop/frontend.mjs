// The shop's page: details and reviews of a product, asked for at the same time.
import { call, serve } from './service.mjs'

const version = process.env.VERSION
serve(async (request) => {
  const [details, reviews] = await Promise.all([
    call('details', '/details', request),
    call('reviews', '/reviews', request),
  ])
  return { version, variant: request.headers['x-variant'], product: 'a loom', details, reviews }
})
