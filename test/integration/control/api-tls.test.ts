/** The API over TLS: certificates from files, operators by certificate, what is refused. */
import { copyFileSync, readFileSync } from 'node:fs'
import { request } from 'node:https'
import { connect } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { ApiClient } from '../../../src/control/client/api-client.js'
import { makeAuthority } from '../../kit/certificates.js'
import { startTestControl, type TestControl } from '../../kit/control.js'
import { removeScratch } from '../../kit/scratch.js'

const running: TestControl[] = []
afterEach(async () => {
  for (const control of running.splice(0)) await control.close()
  removeScratch()
})

async function start(...args: Parameters<typeof startTestControl>): Promise<TestControl> {
  const control = await startTestControl(...args)
  running.push(control)
  return control
}

describe('the API over TLS', () => {
  it('serves who believes its authority, and is not believed by others', async () => {
    const authority = makeAuthority()
    const tls = authority.issue('control', 'IP:127.0.0.1')
    const { control, adminToken } = await start({ tls })
    expect(control.url).toMatch(/^https:/)
    const good = new ApiClient({ server: control.url, token: adminToken, ca: readFileSync(authority.ca, 'utf8') })
    expect(await good.get('/v1/status')).toMatchObject({ resources: 0 })
    const other = new ApiClient({ server: control.url, token: adminToken, ca: null })
    await expect(other.get('/v1/status')).rejects.toMatchObject({
      code: 'WEFT_CLIENT_UNREACHABLE',
      message: expect.stringContaining('name the CA with --ca'),
    })
    good.close()
    other.close()
  })

  it('gives operators with a certificate the role that the configuration names, and others none', async () => {
    const authority = makeAuthority()
    const files = { ...authority.issue('control', 'IP:127.0.0.1'), clientCa: authority.ca }
    const identity = 'spiffe://shop.example/ns/ops/sa/alice'
    const { control } = await start({ tls: files, operators: [{ identity, role: 'viewer', namespaces: ['shop'] }] })
    const get = (path: string, holder: { certificate: string; key: string } | null) =>
      new Promise<{ status: number; code?: string }>((resolve, reject) => {
        const certified = holder && { cert: readFileSync(holder.certificate), key: readFileSync(holder.key) }
        request(`${control.url}${path}`, { ca: readFileSync(authority.ca), agent: false, ...certified }, (response) => {
          let text = ''
          response.on('data', (chunk) => {
            text += chunk
          })
          response.on('end', () => resolve({ status: response.statusCode ?? 0, code: JSON.parse(text).code }))
        })
          .on('error', reject)
          .end()
      })
    const alice = authority.issue('alice', `URI:${identity}`)
    expect((await get('/v1/resources?namespace=shop', alice)).status).toBe(200)
    expect(await get('/v1/resources?namespace=default', alice)).toEqual({ status: 403, code: 'WEFT_ACCESS_FORBIDDEN' })
    expect((await get('/v1/tokens', alice)).status).toBe(403)
    const nobody = { status: 401, code: 'WEFT_ACCESS_TOKEN' }
    expect(
      await get('/v1/resources', authority.issue('mallory', 'URI:spiffe://shop.example/ns/ops/sa/mallory')),
    ).toEqual(nobody)
    expect(await get('/v1/resources', makeAuthority().issue('alice', `URI:${identity}`))).toEqual(nobody)
    expect(await get('/v1/resources', null)).toEqual(nobody)
  })

  it('shows a renewed certificate to new connections', async () => {
    const authority = makeAuthority()
    const tls = authority.issue('control', 'IP:127.0.0.1')
    const { control } = await start({ tls })
    const port = Number(new URL(control.url).port)
    const serial = () =>
      new Promise<string>((resolve, reject) => {
        const socket = connect({ host: '127.0.0.1', port, ca: readFileSync(authority.ca) }, () => {
          resolve(socket.getPeerCertificate().serialNumber)
          socket.destroy()
        }).on('error', reject)
      })
    const before = await serial()
    const renewed = authority.issue('control', 'IP:127.0.0.1')
    copyFileSync(renewed.certificate, tls.certificate)
    copyFileSync(renewed.key, tls.key)
    await control.renewCertificate()
    expect(await serial()).not.toBe(before)
  })

  it('is needed wherever other machines can connect', async () => {
    await expect(start({ listen: '0.0.0.0:0' })).rejects.toMatchObject({ code: 'WEFT_CONTROL_PLAIN' })
    const nowhere = { certificate: '/nowhere/a.pem', key: '/nowhere/a.key' }
    await expect(start({ tls: nowhere })).rejects.toMatchObject({ code: 'WEFT_CONTROL_CERTIFICATE' })
    const { ca, issue } = makeAuthority()
    const mixed = { certificate: ca, key: issue('x', 'DNS:x').key }
    await expect(start({ tls: mixed })).rejects.toMatchObject({
      code: 'WEFT_CONTROL_CERTIFICATE',
      message: expect.stringContaining('key values mismatch'),
    })
  })

  it('says when its address is taken', async () => {
    const { control } = await start()
    await expect(start({ listen: control.url.replace('http://', '') })).rejects.toMatchObject({
      code: 'WEFT_CONTROL_ADDRESS',
      message: expect.stringContaining('EADDRINUSE'),
    })
  })
})
