import { fromJson } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { splitAddress } from '../../../src/control/bootstrap/data-plane.js'
import { envoyBootstrap } from '../../../src/control/bootstrap/envoy.js'
import { grpcBootstrap } from '../../../src/control/bootstrap/grpc.js'
import { nodeOf } from '../../../src/control/xds/node-of.js'
import { NodeSchema } from '../../../src/control/xds/protos/envoy/config/core/v3/base_pb.js'

const plane = {
  node: 'n1',
  service: 'reviews',
  namespace: 'shop',
  account: 'reviewer',
  labels: { version: 'v1' },
  region: 'east',
  zone: 'east-a',
  control: 'control.example:15010',
  controlTls: { ca: '/ca.pem', certificate: null, key: null },
}

describe('a bootstrap', () => {
  it('says of an Envoy what the xDS server reads again', () => {
    const { node } = envoyBootstrap({
      ...plane,
      role: 'sidecar',
      outbound: '127.0.0.1:15001',
      inbound: '127.0.0.1:15006',
      app: '[::1]:9080',
      admin: null,
      stateOfTheWorld: false,
      onDemandHosts: true,
      zoneAware: true,
    }) as { node: object }
    expect(nodeOf(fromJson(NodeSchema, node as never))).toEqual({
      id: 'n1',
      plane: 'envoy',
      role: 'sidecar',
      namespace: 'shop',
      service: 'reviews',
      account: 'reviewer',
      labels: { version: 'v1' },
      region: 'east',
      zone: 'east-a',
      zoneAware: true,
      outbound: '127.0.0.1:15001',
      inbound: '127.0.0.1:15006',
      app: '[::1]:9080',
      hosts: 'on-demand',
    })
  })

  it('takes what a node says in a wrong form for not said', () => {
    const node = {
      id: 'n',
      cluster: 's',
      metadata: { weft: { outbound: 'evil', namespace: 7, labels: { a: 1, b: 'x' }, role: 'king' } },
    }
    expect(nodeOf(fromJson(NodeSchema, node))).toMatchObject({
      outbound: null,
      namespace: 'default',
      labels: { b: 'x' },
      role: 'sidecar',
    })
  })

  it('names the files of a gRPC client', () => {
    const identity = { certificate: '/c.pem', key: '/k.pem', roots: '/r.pem' }
    expect(grpcBootstrap({ ...plane, identity })).toMatchObject({
      xds_servers: [
        { server_uri: 'control.example:15010', channel_creds: [{ type: 'tls' }], server_features: ['xds_v3'] },
      ],
      certificate_providers: { identity: { plugin_name: 'file_watcher', config: { certificate_file: '/c.pem' } } },
    })
  })

  it.each([
    ['127.0.0.1:80', { host: '127.0.0.1', port: 80 }],
    ['[::1]:80', { host: '::1', port: 80 }],
    ['name.example:80', { host: 'name.example', port: 80 }],
    ['127.0.0.1', null],
    ['127.0.0.1:0', null],
    ['a:70000', null],
    ['::1:80', null],
  ])('reads the address %s', (text, expected) => {
    expect(splitAddress(text)).toEqual(expected)
  })
})
