// `node --test`: what the filter does, without a proxy.
import assert from 'node:assert/strict'
import test from 'node:test'
import { testFilter } from 'weftmesh/testing'
import redact from './redact.js'

const options = { fields: ['email'] }
const json = { 'content-type': 'application/json' }

test('masks a field wherever it stands', async () => {
  const { response, failures } = await testFilter(redact, {
    options,
    upstream: () => ({ headers: json, body: '{"id":1,"owner":{"email":"ada@acme.example"}}' }),
  })
  assert.equal(response.body, '{"id":1,"owner":{"email":"***"}}')
  assert.deepEqual(failures, [])
})

test('keeps in what it cannot read', async () => {
  const { response } = await testFilter(redact, { options, upstream: () => ({ headers: json, body: '{"id":' }) })
  assert.equal(response.status, 500)
})
