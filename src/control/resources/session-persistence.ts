/** `sessionPersistence` of a rule (Gateway API, GEP-1619): the requests of one client go to one endpoint. */
import * as z from 'zod'
import { notYet, notYetMark } from '../../config/forms/not-yet.js'
import { span } from './span.js'

const idleHint = 'data planes keep no sessions, so none is known to be idle; absoluteTimeout bounds a Permanent one'
const trackedHint =
  'data planes keep no sessions, so only a cookie that tells its own end has one: cookieConfig.lifetimeType Permanent'

export const sessionPersistence = z
  .strictObject({
    sessionName: z
      .string()
      .max(128)
      .regex(/^[A-Za-z0-9!#$&'*+.^_`|~-]+$/, { error: 'must be a name that a header or a cookie may have' })
      .optional(),
    type: z.enum(['Cookie', 'Header']).default('Cookie'),
    absoluteTimeout: span({ minMs: 1_000 }).optional(),
    idleTimeout: notYet(idleHint),
    cookieConfig: z.strictObject({ lifetimeType: z.enum(['Session', 'Permanent']).default('Session') }).optional(),
  })
  .superRefine(({ type, absoluteTimeout, cookieConfig }, context) => {
    const permanent = cookieConfig?.lifetimeType === 'Permanent'
    if (permanent && absoluteTimeout === undefined)
      context.addIssue({ code: 'custom', path: ['absoluteTimeout'], message: 'is needed with lifetimeType Permanent' })
    if (type === 'Header' && cookieConfig !== undefined)
      context.addIssue({ code: 'custom', path: ['cookieConfig'], message: 'does not belong to type Header' })
    if (!permanent && absoluteTimeout !== undefined)
      context.addIssue({
        code: 'custom',
        path: ['absoluteTimeout'],
        message: '',
        params: { ...notYetMark, hint: trackedHint },
      })
  })

export type SessionPersistence = z.output<typeof sessionPersistence>

/** The service of a session has to be told too: a cookie can, the one header cannot. */
export function sessionsHaveAPlace(
  rule: { sessionPersistence?: SessionPersistence | undefined; backendRefs: unknown[] },
  context: z.core.$RefinementCtx,
): void {
  const { sessionPersistence: session, backendRefs } = rule
  if (session === undefined) return
  if (backendRefs.length === 0)
    context.addIssue({ code: 'custom', path: ['sessionPersistence'], message: 'has no effect without backendRefs' })
  if (session.type === 'Header' && backendRefs.length > 1)
    context.addIssue({
      code: 'custom',
      path: ['sessionPersistence', 'type'],
      message: 'works with one backendRef only; of several, a Cookie remembers which one it was',
    })
}
