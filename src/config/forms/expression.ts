/** An expression in CEL: the engine compiles it and checks its types, `weft validate` asks it. */
import * as z from 'zod'

export function expression() {
  return z.string().trim().min(1).max(4096)
}
