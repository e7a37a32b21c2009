/** The PROXY protocol towards a real nginx that reads it, for requests, through TLS, and for connections as they are. */
import { once } from 'node:events'
import { request } from 'node:http'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { makeAuthority } from '../../kit/certificates.js'
import { listening } from '../../kit/envoy.js'
import { freePort } from '../../kit/free-port.js'
import { workload } from '../../kit/mesh-source.js'
import { startNginx } from '../../kit/nginx.js'
import { type SteeredMesh, steerMesh } from '../../kit/steered-mesh.js'

let steered: SteeredMesh
let raw: Server | null = null
afterEach(async () => {
  await steered.close()
  raw?.close()
  raw = null
})

const rule = (policy: string) => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: app }
spec: { host: app, trafficPolicy: { ${policy} } }
---
`

/** A request on a connection of its own, with the port that the connection comes from. */
function askAlone(port: number): Promise<{ status: number; body: string; from: number }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, agent: false, headers: { host: 'app' } }, (response) => {
      const from = (response.socket as Socket).localPort ?? 0
      let body = ''
      response.on('data', (data) => {
        body += data
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body, from }))
    })
    outgoing.on('error', reject).end()
  })
}

describe('the PROXY protocol', () => {
  it.each(['V1', 'V2'])(
    'in version %s tells nginx who asks, and nginx refuses those that do not say',
    async (version) => {
      const port = await freePort()
      await startNginx(
        '',
        `listen 127.0.0.1:${port} proxy_protocol; return 200 $proxy_protocol_addr:$proxy_protocol_port;`,
      )
      steered = await steerMesh()
      steered.mesh.register(workload('app', port))
      await steered.apply('')
      expect((await askAlone(steered.envoy.outbound)).status).not.toBe(200)

      await steered.apply(rule(`proxyProtocol: { version: ${version} }`))
      for (let index = 0; index < 5; index += 1) {
        const { status, body, from } = await askAlone(steered.envoy.outbound)
        expect([status, body]).toEqual([200, `127.0.0.1:${from}`])
      }
    },
  )

  it('stands before TLS', async () => {
    const authority = makeAuthority()
    const { certificate, key } = authority.issue('app', 'DNS:app.example')
    const port = await freePort()
    await startNginx(
      `ssl_certificate ${certificate}; ssl_certificate_key ${key};`,
      `listen 127.0.0.1:${port} ssl proxy_protocol; return 200 "$ssl_server_name $proxy_protocol_port";`,
    )
    steered = await steerMesh()
    steered.mesh.register(workload('app', port))
    const tls = `tls: { mode: SIMPLE, caCertificates: ${authority.ca}, sni: app.example }`
    await steered.apply(rule(`proxyProtocol: {}, ${tls}`))
    const { status, body, from } = await askAlone(steered.envoy.outbound)
    expect([status, body]).toEqual([200, `app.example ${from}`])
  })

  it.each(['V1', 'V2'])('in version %s begins a connection that is forwarded whole', async (version) => {
    const heard: string[] = []
    raw = createServer((socket) => {
      let text = ''
      socket.setEncoding('latin1').on('data', (data) => {
        text += data
        if (!text.endsWith('hello')) return
        heard.push(text)
        socket.end('bye')
      })
      socket.on('error', () => socket.destroy())
    }).listen(0, '127.0.0.1')
    await once(raw, 'listening')
    const port = await freePort()
    steered = await steerMesh({ role: 'gateway', service: 'edge' })
    steered.mesh.register(workload('app', (raw.address() as AddressInfo).port))
    await steered.apply(`
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec: { gatewayClassName: weft, addresses: [{ value: 127.0.0.1 }], listeners: [{ name: tcp, port: ${port}, protocol: TCP }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: TCPRoute
metadata: { name: app }
spec: { parentRefs: [{ name: edge }], rules: [{ backendRefs: [{ name: app, port: 1 }] }] }
---
${rule(`proxyProtocol: { version: ${version} }`)}`)
    await listening(port)
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    const from = socket.localPort
    socket.end('hello')
    await once(socket.resume(), 'close')
    const [text = ''] = heard
    expect(heard).toEqual([text])
    const bytes = Buffer.from(text, 'latin1')
    // Signature, version and command, family, and the length of addresses and ports.
    const binary = Buffer.from('0d0a0d0a000d0a515549540a2111000c', 'hex')
    const said = version === 'V1' ? text.split('\r\n')[0]?.split(' ') : bytes.subarray(0, binary.length)
    expect(said).toEqual(
      version === 'V1' ? ['PROXY', 'TCP4', '127.0.0.1', '127.0.0.1', `${from}`, expect.any(String)] : binary,
    )
    if (version === 'V2') expect([bytes.readUInt16BE(24), text.slice(28)]).toEqual([from, 'hello'])
  })
})
