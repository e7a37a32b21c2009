/** An authorization of which no policy says anything. */
import type { Authorization } from '../../src/control/compile/nouns.js'

export const undecided: Authorization = {
  audit: [],
  custom: [],
  deny: [],
  allow: null,
  dryRun: { deny: [], allow: null },
  origins: [],
}
