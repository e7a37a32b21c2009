/** `clusters[].localityAware`: whether it matters where endpoints run. */
import * as z from 'zod'

export const localityAware = z
  .strictObject({
    mode: z.enum(['zone', 'weighted', 'off']).default('zone').meta({
      description:
        '`zone`: that of `node.zone` first, as long as it is loaded no more than the others; `weighted`: each by its weight, less where it is short of health',
    }),
    minEndpoints: z.int().min(1).max(65_535).default(6).meta({
      description: 'Healthy endpoints of the first priority below which `zone` is off',
    }),
    weights: z.record(z.string().min(1).max(256), z.int().min(0).max(1_000_000)).default({}).meta({
      description:
        'By zone: for `zone` how many proxies call from it, absent: as many from each; for `weighted` its weight, absent: that of its endpoints',
    }),
    failover: z.array(z.string().min(1).max(256)).max(64).default([]).meta({
      description:
        'Regions that stand in for `node.region`, one after the other, as priorities do; behind them all others. Empty: regions make no difference',
    }),
  })
  .meta({ title: 'localityAware', description: 'Whether it matters where endpoints run.' })
