/** The Python of the tests, with the clients that `scripts/setup` installs for them. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const own = join(import.meta.dirname, '../../.peers/python/bin/python')

export const python = existsSync(own) ? own : 'python3'
export const clients = join(import.meta.dirname, '../clients')
