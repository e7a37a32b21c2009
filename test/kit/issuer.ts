/** An authority over a real store in a scratch folder, on a clock of the test's own. */
import { join } from 'node:path'
import { AuditLog } from '../../src/control/audit.js'
import { makeAuthority, takeAuthority } from '../../src/control/ca/authority-files.js'
import { Issuer } from '../../src/control/ca/issuer.js'
import { Ledger } from '../../src/control/ca/ledger.js'
import { RevocationList } from '../../src/control/ca/revocation-list.js'
import { TrustSet } from '../../src/control/ca/trust-set.js'
import { openEmbeddedStore } from '../../src/control/store/embedded.js'
import type { Store } from '../../src/control/store/store.js'
import { loadAddon } from '../../src/native/index.js'
import { scratchFolder } from './scratch.js'

export interface TestIssuer {
  issuer: Issuer
  trust: TrustSet
  ledger: Ledger
  revocations: RevocationList
  audit: AuditLog
  store: Store
  folder: string
  clock: { nowMs: number }
  close(): Promise<void>
}

export const beganMs = Date.parse('2026-06-01T12:00:00Z')

export async function startIssuer(
  { leafMs = 86_400_000, clockSkewMs = 120_000, startMs = beganMs } = {},
  given?: { certificate: string; key: string },
): Promise<TestIssuer> {
  const folder = scratchFolder()
  const clock = { nowMs: startMs }
  const nowMs = () => clock.nowMs
  const say = () => {}
  const store = await openEmbeddedStore({ folder: join(folder, 'store'), nowMs })
  const audit = await AuditLog.open({ store, file: join(folder, 'audit.log'), warn: say })
  const place = { folder: join(folder, 'ca'), passphrase: null, secret: null }
  const made =
    given === undefined ? makeAuthority(place, 'shop.example', startMs) : takeAuthority(place, given, startMs)
  const trust = new TrustSet({ ...place, store, say })
  const value = { ...made, state: 'issuing' as const, sinceMs: startMs, untilMs: null }
  await trust.commit('test', 'ca init', [{ id: made.id, value, expect: 0 }])
  const ledger = await Ledger.open({ file: join(folder, 'issued.log'), nowMs, warn: say })
  const revocations = new RevocationList({ store, trust, ledger, nowMs, clockSkewMs })
  const issuer = new Issuer({
    trust,
    ledger,
    revocations,
    audit,
    trustDomain: 'shop.example',
    leafMs,
    clockSkewMs,
    nowMs,
  })
  return {
    ...{ issuer, trust, ledger, revocations, audit, store, folder, clock },
    async close() {
      revocations.close()
      trust.close()
      await ledger.close()
      await audit.close()
      await store.close()
    },
  }
}

export function makeRequest(): { request: string; key: string } {
  return JSON.parse(loadAddon().createRequest())
}
