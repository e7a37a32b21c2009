/** Certificates in files beside an authority that issues those of workloads: a gateway shows them, and follows them. */
import { copyFileSync, mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { afterEach, expect, it } from 'vitest'
import { makeAuthority } from '../../kit/certificates.js'
import { listening, startEnvoy } from '../../kit/envoy.js'
import { freePort } from '../../kit/free-port.js'
import { type IssuingControl, startIssuingControl } from '../../kit/issuing-control.js'
import { endPrograms } from '../../kit/program.js'
import { scratchFolder } from '../../kit/scratch.js'

let control: IssuingControl | null = null
afterEach(async () => {
  await endPrograms()
  await control?.close()
  control = null
})

/** Who the gateway says it is. */
function shown(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', servername: 'shop.example', rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject?.CN))
      socket.destroy()
    }).once('error', reject)
  })
}

it('are shown by a gateway, and the next handshake shows those that took their place', async () => {
  const folder = scratchFolder()
  const named = join(folder, 'named/default')
  mkdirSync(named, { recursive: true })
  const authority = makeAuthority()
  const put = (name: string) => {
    const { certificate, key } = authority.issue(name, 'DNS:shop.example')
    for (const [from, to] of [
      [key, 'shop.key'],
      [certificate, 'shop.crt'],
    ] as const) {
      copyFileSync(from, join(named, `.${to}`))
      renameSync(join(named, `.${to}`), join(named, to))
    }
  }
  put('first')
  control = await startIssuingControl({}, { certificates: folder })
  const port = await freePort()
  await startEnvoy(control.xdsPort, { role: 'gateway', service: 'edge', node: 'edge-1' })
  await control.apply(`
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  gatewayClassName: weft
  addresses: [{ value: 127.0.0.1 }]
  listeners: [{ name: https, port: ${port}, protocol: HTTPS, tls: { certificateRefs: [{ name: shop }] } }]
`)
  await listening(port)
  expect(await shown(port)).toBe('first')
  put('second')
  await expect.poll(() => shown(port)).toBe('second')
})
