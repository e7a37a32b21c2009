// Lets in who has a cookie that the login service signed, `session=USER.EXPIRES.SIGNATURE`, and says who it is.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { defineFilter } from 'weftmesh'

// Shared with the login service. Without it nobody gets in.
const secret = process.env.SESSION_SECRET || randomBytes(32)

export default defineFilter({
  name: 'auth-cookie',
  onRequest(request) {
    const user = userOf(request.headers.get('cookie') ?? '')
    // Also takes away what a client says of itself.
    if (user !== null) return request.headers.set('x-user', user)
    if (!request.headers.get('accept')?.includes('text/html')) return { status: 401, body: 'no valid session\n' }
    return { status: 302, headers: { location: `/login?to=${encodeURIComponent(request.path)}` } }
  },
})

/** @param {string} cookies */
function userOf(cookies) {
  const session = cookies.split('; ').find((cookie) => cookie.startsWith('session='))
  const [user, expires, signature] = session?.slice('session='.length).split('.') ?? []
  if (!user || !expires || !signature || !(Number(expires) > Date.now() / 1000)) return null
  const expected = createHmac('sha256', secret).update(`${user}.${expires}`).digest()
  const given = Buffer.from(signature, 'hex')
  return given.length === expected.length && timingSafeEqual(given, expected) ? user : null
}
