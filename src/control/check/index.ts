/** All checks, in the order in which they are told: what others rest on comes first. */
import { accessChecks } from './access-checks.js'
import { certificateChecks } from './certificate-checks.js'
import type { Check, Checked, Facts } from './check.js'
import { meshChecks } from './mesh-checks.js'
import { storeChecks } from './store-checks.js'

export const checks: readonly Check[] = [...storeChecks, ...accessChecks, ...certificateChecks, ...meshChecks]

export function checkAll(facts: Facts): Checked[] {
  return checks.map(({ id, group, about, look }) => {
    const finding = look(facts)
    return {
      id,
      group,
      about,
      level: finding?.level ?? 'ok',
      message: finding?.message ?? null,
      hint: finding?.hint ?? null,
    }
  })
}
