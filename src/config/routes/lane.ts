/** `routes[].lane`: the name of a staging lane. */
import * as z from 'zod'

export const lane = z
  .string()
  .regex(/^[0-9A-Za-z][0-9A-Za-z._-]{0,62}$/, { error: 'is not the name of a lane: letters, digits, `.`, `_`, `-`' })
  .nullable()
  .default(null)
  .meta({
    description:
      'It takes requests of this lane only, and those before every route without one; the listener’s `overrides.laneHeader` names the lane of a request',
  })
