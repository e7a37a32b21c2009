/** Knot DNS in the foreground: a name server with one zone, which a test rewrites while it runs. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from './free-port.js'
import { Program } from './program.js'
import { scratchFolder } from './scratch.js'

const zone = 'weft.test'

export class Knot extends Program {
  readonly address: string
  private readonly folder: string
  private serial = 1

  private constructor(folder: string, port: number) {
    super('knotd', ['-c', join(folder, 'knot.conf')], { env: { PATH: `${process.env.PATH}:/usr/sbin` } })
    this.folder = folder
    this.address = `127.0.0.1:${port}`
  }

  /** Serves these records of the zone, `name TTL TYPE DATA` with names below it; `null` is a zone that fails to load. */
  static async start(records: string[] | null, port?: number): Promise<Knot> {
    const folder = scratchFolder()
    const chosen = port ?? (await freePort())
    mkdirSync(join(folder, 'db'))
    writeFileSync(join(folder, 'knot.conf'), configuration(folder, chosen))
    if (records !== null) writeFileSync(join(folder, 'zone'), zoneFile(1, records))
    const knot = new Knot(folder, chosen)
    await knot.says(records === null ? /failed \(not exists\)/ : /loaded, serial/)
    await knot.says('server started in the foreground')
    return knot
  }

  get port(): number {
    return Number(this.address.split(':')[1])
  }

  /** Puts other records in force. */
  async change(records: string[]): Promise<void> {
    this.serial += 1
    writeFileSync(join(this.folder, 'zone'), zoneFile(this.serial, records))
    this.signal('SIGHUP')
    await this.says(`-> ${this.serial},`)
  }
}

function configuration(folder: string, port: number): string {
  return `server:
    rundir: "${folder}"
    listen: [ 127.0.0.1@${port} ]
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "${folder}/db"
log:
  - target: stderr
    any: info
template:
  - id: default
    storage: "${folder}"
    journal-content: none
    zonefile-load: whole
zone:
  - domain: ${zone}
    file: zone
`
}

function zoneFile(serial: number, records: string[]): string {
  return [
    `$ORIGIN ${zone}.`,
    `@ 1 SOA ns hostmaster ${serial} 3600 600 86400 1`,
    '@ 60 NS ns',
    'ns 60 A 127.0.0.1',
    ...records,
    '',
  ].join('\n')
}
