/** Debian's etcd as one node on loopback, with a folder of its own. */
import { Program } from './program.js'
import { scratchFolder } from './scratch.js'
import { freePort } from './weft-process.js'

export interface Etcd {
  program: Program
  url: string
  port: number
  folder: string
}

export async function startEtcd(again?: Etcd): Promise<Etcd> {
  const port = again?.port ?? (await freePort())
  const peer = `http://127.0.0.1:${await freePort()}`
  const folder = again?.folder ?? scratchFolder()
  const url = `http://127.0.0.1:${port}`
  const program = new Program('etcd', [
    ...['--data-dir', folder, '--listen-client-urls', url, '--advertise-client-urls', url],
    ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
    ...['--initial-cluster', `default=${peer}`, '--logger', 'zap', '--log-outputs', 'stderr'],
  ])
  await program.says('serving client traffic')
  return { program, url, port, folder }
}
