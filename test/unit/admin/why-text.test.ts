import { describe, expect, it } from 'vitest'
import { whyText } from '../../../src/admin/why-text.js'
import type { Why } from '../../../src/native/index.js'

const record: Why['record'] = {
  id: 'id-1',
  startUnixUs: Date.UTC(2026, 0, 31, 12) * 1_000,
  worker: 0,
  seq: 1,
  generation: 3,
  listener: 'outbound',
  route: 'reviews',
  cluster: 'reviews-v1',
  upstream: '127.0.0.1:9082',
  downstream: '127.0.0.1:5000',
  protocol: 'HTTP/1.1',
  method: 'GET',
  authority: 'reviews',
  path: '/api?x=1',
  headers: { 'end-user': 'tester' },
  status: 503,
  upstreamStatus: 0,
  flag: 'URX',
  detail: 'the endpoint closed the connection',
  marks: ['retry-budget-spent'],
  attemptCount: 2,
  requestBytes: 0,
  responseBytes: 9,
  headUs: 0,
  firstByteUs: 0,
  totalUs: 8_000,
  traceId: null,
}

const attempt = { connectUs: 0, endpoint: 0, status: 0, cause: 6, reused: false, candidates: [] }

const why = (change: Partial<Why> = {}): Why => ({
  record,
  generationInForce: 4,
  generationKnown: true,
  flagInWords: 'UpstreamRetryLimitExceeded',
  advice: "see the endpoint's own log",
  policies: ["the cluster's retry budget had no room"],
  routing: null,
  attempts: [
    {
      ...attempt,
      upstream: '127.0.0.1:9081',
      startedUs: 0,
      endedUs: 2_000,
      failure: 'no connection could be made',
      candidates: [
        { address: '127.0.0.1:9081', score: 0.5, picked: true },
        { address: '127.0.0.1:9082', score: 1.25, picked: false },
      ],
    },
    { ...attempt, upstream: '127.0.0.1:9082', startedUs: 4_000, endedUs: 8_000, reused: true, failure: 'it closed' },
  ],
  passedOver: [],
  redacted: [],
  others: 0,
  ...change,
})

describe('why in words', () => {
  it('tells the decision, the attempts on a line of time, what failed and what to do', () => {
    expect(whyText(why())).toBe(`GET reviews/api?x=1 -> 503 URX (UpstreamRetryLimitExceeded) in 8.00 ms
  id        id-1
  time      2026-01-31T12:00:00.000Z
  client    127.0.0.1:5000 HTTP/1.1
  end-user  tester

decided by generation 3 (since replaced by 4)
  listener outbound -> route reviews -> cluster reviews-v1

attempts
  1  127.0.0.1:9081  |########........................|  0.00 ms to 2.00 ms  -                  no connection could be made
     compared: 127.0.0.1:9081 0.5 (picked), 127.0.0.1:9082 1.25; the lowest score wins
  2  127.0.0.1:9082  |................################|  4.00 ms to 8.00 ms  reused connection  it closed

policies
  the cluster's retry budget had no room

what failed
  the endpoint closed the connection
what to do
  see the endpoint's own log
`)
  })

  it('says what is not known any more', () => {
    const gone = why({ generationKnown: false, attempts: [], others: 2, policies: [], advice: '' })
    const text = whyText({ ...gone, record: { ...record, route: null, attemptCount: 0, status: 0, detail: '' } })
    expect(text).toContain('GET reviews/api?x=1 -> no answer')
    expect(text).toContain('generation 3 is no longer kept')
    expect(text).toContain('2 older records have this id too')
    expect(text).toContain('no attempt was made')
    expect(text).not.toContain('what failed')
  })

  it('tells each rule that was passed over, and about which of them nothing is known', () => {
    const rule = { routeIndex: 0, matchIndex: 0, sameHost: true }
    const routing: Why['routing'] = {
      listener: 'outbound',
      method: 'GET',
      host: 'reviews',
      hostFrom: 'host',
      path: '/api',
      query: 'x=1',
      chosen: 1,
      rules: [
        { ...rule, route: 'admins', asks: 'header authorization is `x`', standing: 'passed-over', reason: 'it is not' },
        { ...rule, route: 'reviews', asks: 'any path', standing: 'chosen', reason: '' },
      ],
      outcome: null,
    }
    expect(whyText(why({ routing, redacted: ['authorization', 'cookie'] }))).toContain(`
  rules in the order in which they are tried
    ✗  admins   header authorization is \`x\`  it is not
    ✓  reviews  any path
  (rules about authorization cannot be asked again: the values are not kept)
`)
  })
})
