/**
 * Conditions on the token of a request (`requestPrincipals`, `request.auth.*`). A request without one has none of the
 * claims: what asks for a value does not match, what asks for its absence does.
 */
import type { Condition, TextMatch } from '../nouns.js'

/** Of no token: every issuer has a name. */
export const nobody: Condition = { claim: { path: ['iss'], list: false, exact: '' } }

/**
 * `issuer/subject`, compared as one text. The issuers that can be there are known, so each is compared by itself and no
 * token can pass for another by where it has its slash.
 */
export function requestPrincipal(issuers: readonly string[], match: TextMatch): Condition {
  const found = issuers.flatMap((issuer) =>
    subjects(`${issuer}/`, match).map(
      (subject): Condition => ({ all: [claim(['iss'], { exact: issuer }), claim(['sub'], subject)] }),
    ),
  )
  return anyOf(found)
}

/** What the rest of a text has to be where it begins with `head`, so that the whole of it matches. */
function subjects(head: string, match: TextMatch): TextMatch[] {
  if ('exact' in match) return startsWith(match.exact, head).map((exact) => ({ exact }))
  if ('prefix' in match) {
    if (head.startsWith(match.prefix)) return [{ present: true }]
    return startsWith(match.prefix, head).map((prefix) => ({ prefix }))
  }
  if ('suffix' in match) {
    const { suffix } = match
    const acrossHead = Array.from(suffix, (_, end) => end + 1).flatMap((end) =>
      head.endsWith(suffix.slice(0, end)) ? [{ exact: suffix.slice(end) }] : [],
    )
    return [{ suffix }, ...acrossHead.filter(({ exact }) => exact !== '')]
  }
  return [{ present: true }]
}

function startsWith(text: string, head: string): string[] {
  return text.startsWith(head) && text.length > head.length ? [text.slice(head.length)] : []
}

/** The condition that a key of `when` means, or null where it is about something else. */
export function authCondition(issuers: readonly string[], key: string, match: TextMatch): Condition | null {
  if (key === 'request.auth.principal') return requestPrincipal(issuers, match)
  if (key === 'request.auth.audiences') return claim(['aud'], match, true)
  if (key === 'request.auth.presenter') return claim(['azp'], match)
  if (!key.startsWith('request.auth.claims')) return null
  return claim(
    [...key.matchAll(/\[([^\][]+)\]/g)].map(([, name = '']) => name),
    match,
    true,
  )
}

function claim(path: string[], match: TextMatch, list = false): Condition {
  return { claim: { path, list, ...match } }
}

function anyOf(conditions: Condition[]): Condition {
  const [only] = conditions
  if (only === undefined) return nobody
  return conditions.length === 1 ? only : { any: conditions }
}
