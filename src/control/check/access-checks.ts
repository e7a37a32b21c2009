/** Whether the right people can get in, and will tomorrow. */
import { type Check, fail, some, warn } from './check.js'

const dayMs = 86_400_000
const soonMs = 7 * dayMs

export const accessChecks: readonly Check[] = [
  {
    id: 'first-token-is-put-away',
    group: 'access',
    about: "the first admin's token was put away",
    look({ firstTokenAgeMs, open }) {
      if (firstTokenAgeMs === null || !open || firstTokenAgeMs < dayMs) return null
      const days = Math.floor(firstTokenAgeMs / dayMs)
      const hint =
        'weft token create --role admin --expires-in 2160h for each admin, then weft token revoke the first one and remove admin.token'
      return warn(`the token that everybody may have copied has lain in admin.token for ${days} days`, hint)
    },
  },
  {
    id: 'an-admin-can-get-in',
    group: 'access',
    about: 'an admin can get in, and will be able to next week',
    look({ tokens, operatorsByCertificate, nowMs }) {
      if (operatorsByCertificate) return null
      const lasting = tokens.filter(({ role, expiresAtMs }) => role === 'admin' && (expiresAtMs ?? Infinity) > nowMs)
      if (lasting.length === 0) {
        return fail(
          'no admin has a token that lasts',
          'weft token create --name rescue --role admin --data DATA, while the control plane is not running',
        )
      }
      if (lasting.some(({ expiresAtMs }) => (expiresAtMs ?? Infinity) > nowMs + soonMs)) return null
      return warn(
        `the last token of an admin, ${lasting[0]?.name}, ends within 7 days`,
        'weft token create --role admin',
      )
    },
  },
  {
    id: 'tokens-last',
    group: 'access',
    about: 'no token ends within 7 days',
    look({ tokens, nowMs }) {
      const ending = tokens.filter(
        ({ expiresAtMs }) => expiresAtMs !== null && expiresAtMs > nowMs && expiresAtMs < nowMs + soonMs,
      )
      if (ending.length === 0) return null
      return warn(`${some(ending.map(({ name }) => name))} will be refused soon`, 'weft token list; hand out new ones')
    },
  },
  {
    id: 'callers-prove-who-they-are',
    group: 'access',
    about: 'who can come from other machines meets TLS',
    look({ open, serverLinks }) {
      if (!open || serverLinks.length > 0) return null
      return fail(
        'another machine can reach the control plane without TLS',
        'give it tls: { certificate, key }, or let it listen on 127.0.0.1',
      )
    },
  },
]
