/** `admin`: the address of the admin server; absent means that there is none. */
import * as z from 'zod'
import { address } from './forms/address.js'
import { notYetKeys } from './forms/not-yet.js'

export const admin = z
  .strictObject({
    address: address({ minPort: 0 }).meta({ description: 'Where the admin server listens; keep it on loopback' }),
    ...notYetKeys('tls', 'dashboard'),
  })
  .meta({ title: 'admin', description: 'The admin server: readiness, statistics, drain. Absent: none is started.' })
