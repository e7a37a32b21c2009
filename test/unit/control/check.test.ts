/** Each check, made to fail by one change of facts that are all well. */
import { describe, expect, it } from 'vitest'
import { describeChecks } from '../../../src/cli/commands/check.js'
import type { ShownLink } from '../../../src/control/ca/status.js'
import type { Facts } from '../../../src/control/check/check.js'
import { checkAll, checks } from '../../../src/control/check/index.js'

const dayMs = 86_400_000
const nowMs = Date.UTC(2026, 10, 21)
const at = (days: number) => new Date(nowMs + days * dayMs).toISOString()

function link(what: string, daysLeft: number): ShownLink {
  return { what, subject: `CN=${what}`, serial: '01', notBefore: at(-1), notAfter: at(daysLeft), daysLeft }
}

const plane: Facts['dataPlanes'][number] = {
  ...{ node: 'page-1', kind: 'envoy', namespace: 'default', service: 'page', connectedAtMs: 0 },
  ...{ replica: null, sentRevision: 3, ackedRevision: 3, staleMs: 0, lastRefusal: null, description: null },
}
const route = 'HTTPRoute.gateway.networking.k8s.io/default/canary'
const reached: Facts['reached'][number] = {
  ...{ node: 'page-1', kind: 'envoy', namespace: 'default', service: 'page' },
  resources: [{ resource: route, parts: [{ side: 'client', part: 'routes of reviews' }], notes: [] }],
}
const issuing = {
  ...{ id: 'a1', state: 'issuing' as const, own: true, keyHere: true, since: at(-30), until: null },
  links: [link('intermediate', 200), link('root', 3000)],
}
const authority: NonNullable<Facts['authority']> = {
  ...{ trustDomain: 'shop.example', authorities: [issuing], rotation: { step: 'nothing', why: null } },
  ...{ issued: { lasting: 3, firstEnd: at(0.6), lastEnd: at(1) }, revoked: [] },
}

const well: Facts = {
  nowMs,
  store: { type: 'embedded', writable: true, reason: null, leader: null, findings: [] },
  disk: { freeBytes: 50 * 2 ** 30, totalBytes: 100 * 2 ** 30 },
  auditFault: null,
  firstTokenAgeMs: null,
  tokens: [{ name: 'ada', role: 'admin', expiresAtMs: nowMs + 90 * dayMs }],
  operatorsByCertificate: false,
  serverLinks: [link('server', 80)],
  open: true,
  certificates: 'authority',
  rootLinks: [],
  serviceRootLinks: [link('ConfigMap.v1/default/bank', 300)],
  authority,
  registry: { services: 1, workloads: 2, stale: 0, held: null },
  lonelyServices: [],
  wantCertificates: ['PeerAuthentication default/default'],
  dataPlanes: [plane],
  reached: [reached],
  resources: [route],
  notices: [],
}

const leaderless = { type: 'etcd', writable: false, reason: 'nobody leads', leader: null, findings: [] } as const
const adding = { ...issuing, id: 'b2', state: 'adding' as const, since: at(-1) }

/** What is wrong, and what is said of it; a second case where there is another level. */
const wrong: Record<string, [Partial<Facts>, RegExp][]> = {
  'store-takes-changes': [
    [{ store: { ...well.store, writable: false, reason: 'the disk is full' } }, /the disk is full/],
  ],
  'store-is-whole': [[{ store: { ...well.store, findings: ['12 bytes at the end were cut off'] } }, /12 bytes/]],
  'store-has-a-leader': [[{ store: leaderless }, /no replica leads/]],
  'disk-has-room': [
    [{ disk: { freeBytes: 2 ** 30, totalBytes: 100 * 2 ** 30 } }, /1024 MiB of 102400 MiB/],
    [{ disk: { freeBytes: 2 ** 20, totalBytes: 100 * 2 ** 30 } }, /changes will be refused/],
  ],
  'audit-log-is-written': [[{ auditFault: 'ENOSPC' }, /not on record: ENOSPC/]],
  'first-token-is-put-away': [[{ firstTokenAgeMs: 3 * dayMs }, /for 3 days/]],
  'an-admin-can-get-in': [
    [{ tokens: [{ name: 'ada', role: 'admin', expiresAtMs: nowMs - 1 }] }, /no admin/],
    [{ tokens: [{ name: 'ada', role: 'admin', expiresAtMs: nowMs + dayMs }] }, /ada, ends/],
  ],
  'tokens-last': [[{ tokens: [...well.tokens, { name: 'ci', role: 'operator', expiresAtMs: nowMs + dayMs }] }, /^ci /]],
  'callers-prove-who-they-are': [[{ serverLinks: [] }, /without TLS/]],
  'certificates-are-there': [[{ certificates: 'none', authority: null }, /asks for mutual TLS/]],
  'a-key-can-sign': [
    [{ authority: { ...authority, authorities: [{ ...issuing, keyHere: false }] } }, /key of a1 is not/],
    [{ authority: { ...authority, authorities: [] } }, /no authority issues/],
  ],
  'roots-last': [
    [{ authority: { ...authority, authorities: [{ ...issuing, links: [link('root', 12.5)] }] } }, /ends in 12.5 days/],
    [{ authority: null, certificates: 'files', rootLinks: [link('root', -1)] }, /root CN=root ended at/],
  ],
  'roots-of-services-last': [
    [{ serviceRootLinks: [link('ConfigMap.v1/default/bank', 5)] }, /^ConfigMap.v1\/default\/bank .* ends in 5 days/],
  ],
  'intermediates-last': [
    [
      { authority: { ...authority, authorities: [{ ...issuing, links: [link('intermediate', 3)] }] } },
      /ends in 3 days/,
    ],
  ],
  'server-certificate-lasts': [[{ serverLinks: [link('server', 80), link('server', 2)] }, /ends in 2 days/]],
  'rotation-goes-on': [
    [
      {
        authority: { ...authority, authorities: [issuing, adding], rotation: { step: 'wait', why: 'page-1 is away' } },
      },
      /page-1 is away/,
    ],
  ],
  'workloads-are-renewed': [
    [{ authority: { ...authority, issued: { lasting: 1, firstEnd: at(0.01), lastEnd: at(0.01) } } }, /one ends at/],
  ],
  'eviction-is-free': [
    [{ registry: { ...well.registry, held: { silent: 9, allowed: 1 } } }, /9 workloads fell silent/],
  ],
  'workloads-are-heard-of': [[{ registry: { ...well.registry, stale: 1 } }, /1 of 2 workloads/]],
  'services-can-answer': [[{ lonelyServices: ['a', 'b', 'c', 'd'] }, /a, b, c and 1 more/]],
  'data-planes-are-connected': [[{ dataPlanes: [], reached: [] }, /none is/]],
  'data-planes-are-in-step': [[{ dataPlanes: [{ ...plane, staleMs: 60_000 }] }, /page-1 have not answered/]],
  'data-planes-refuse-nothing': [
    [
      {
        dataPlanes: [
          { ...plane, lastRefusal: { resource: null, path: null, message: 'bad regex', revision: 3, atMs: 0 } },
        ],
      },
      /page-1 refused something: bad regex/,
    ],
  ],
  'node-ids-are-unique': [[{ dataPlanes: [plane, plane] }, /^page-1 is the id/]],
  'resources-agree': [
    [{ notices: [{ resource: route, path: 'spec', message: 'is shadowed', hint: null }] }, /is shadowed/],
  ],
  'resources-reach-somebody': [
    [{ resources: [route, 'Sidecar.networking.istio.io/default/x'] }, /^Sidecar.*reach no data plane/],
  ],
  'resources-are-in-force': [
    [
      { reached: [{ ...reached, resources: [{ resource: route, parts: [], notes: ['lacks faults'] }] }] },
      /lacks faults/,
    ],
  ],
}

describe('the checks of weft check', () => {
  it('are at least twenty, have nothing to say when all is well, and each has its case below', () => {
    expect(checks.length).toBeGreaterThanOrEqual(20)
    expect(checkAll(well).filter(({ level }) => level !== 'ok')).toEqual([])
    expect(Object.keys(wrong)).toEqual(checks.map(({ id }) => id))
  })

  const cases = Object.entries(wrong).flatMap(([id, list]) => list.map(([facts, words]) => [id, facts, words] as const))
  it.each(cases)('%s finds it, says why and what to do', (id, facts, words) => {
    const found = checkAll({ ...well, ...facts }).find((checked) => checked.id === id)
    expect(found?.level).not.toBe('ok')
    expect(found?.message).toMatch(words)
    expect(found?.hint).toBeTruthy()
  })

  it('are told by group, what was found below its line', () => {
    const text = describeChecks(checkAll({ ...well, auditFault: 'ENOSPC' }))
    expect(text.split('\n').slice(0, 8)).toEqual([
      'store',
      '  √ the store takes changes',
      '  √ the store was read without a loss',
      '  √ one replica leads',
      '  √ the disk of the data folder has room',
      '  × the audit log is written',
      '      who changes what is not on record: ENOSPC',
      '      hint: look at the permissions and the room of the data folder',
    ])
    expect(text).toMatch(/27 checks: 1 error, 0 warnings$/)
  })
})
