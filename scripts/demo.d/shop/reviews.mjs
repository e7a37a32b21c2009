// Reviews in three versions: v1 has no stars, v2 and v3 ask the ratings for them.
import { call, serve } from './service.mjs'

const version = process.env.VERSION
serve(async (request) => {
  if (request.url === '/healthz') return { version }
  const ratings = version === 'v1' ? null : await call('ratings', '/ratings', request)
  return { version, reviews: ['warps well', 'a bit loud'], stars: ratings?.stars ?? null }
})
