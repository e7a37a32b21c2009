/** Debian's etcd as one node on loopback, with a folder of its own. */

import { freePort } from './free-port.js'
import { Program } from './program.js'
import { scratchFolder } from './scratch.js'

export interface Etcd {
  program: Program
  url: string
  port: number
  folder: string
}

/** PEM files: the node's certificate, and who signs those of its clients. */
export interface EtcdTls {
  certificate: string
  key: string
  clientCa: string
}

export async function startEtcd(again?: Etcd, tls?: EtcdTls): Promise<Etcd> {
  const port = again?.port ?? (await freePort())
  const peer = `http://127.0.0.1:${await freePort()}`
  const folder = again?.folder ?? scratchFolder()
  const url = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`
  const program = new Program('etcd', [
    ...['--data-dir', folder, '--listen-client-urls', url, '--advertise-client-urls', url],
    ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
    ...['--initial-cluster', `default=${peer}`, '--logger', 'zap', '--log-outputs', 'stderr'],
    ...(tls === undefined ? [] : ['--cert-file', tls.certificate, '--key-file', tls.key]),
    ...(tls === undefined ? [] : ['--client-cert-auth', '--trusted-ca-file', tls.clientCa]),
  ])
  await program.says(/serving client traffic/)
  return { program, url, port, folder }
}
