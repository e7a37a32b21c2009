/** `node`: who this proxy is, for logs, metrics and locality. */
import * as z from 'zod'

export const node = z
  .strictObject({
    id: z.string().max(256).default('').meta({ description: 'Unique name of this proxy' }),
    service: z.string().max(256).default('').meta({ description: 'Service that this proxy stands beside' }),
    version: z.string().max(256).default('').meta({ description: 'Version of that service' }),
    region: z.string().max(256).default('').meta({ description: 'Region, the outer part of the locality' }),
    zone: z.string().max(256).default('').meta({ description: 'Zone, the inner part of the locality' }),
    labels: z.record(z.string(), z.string()).default({}).meta({ description: 'Free labels, shown in /config_dump' }),
  })
  .meta({ title: 'node', description: 'Who this proxy is.' })
