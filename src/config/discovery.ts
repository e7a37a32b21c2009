/** `clusters[].discovery`: the registry that says where the endpoints of a cluster are. */
import * as z from 'zod'
import { notYetKeys, words } from './not-yet.js'

export const discovery = z
  .strictObject({
    type: words(['file'], ['dns', 'consul', 'etcd', 'zookeeper', 'eureka', 'nacos', 'kubernetes', 'polaris']).meta({
      description: 'The kind of registry',
    }),
    path: z
      .string()
      .min(1)
      .nullable()
      .default(null)
      .meta({ description: 'Of `file`: a list of endpoints, relative to the configuration; watched' }),
    ...notYetKeys('name', 'port', 'refresh'),
  })
  .superRefine(({ type, path }, context) => {
    if (path === null)
      context.addIssue({ code: 'custom', path: ['path'], message: `discovery by ${type} needs a path` })
  })
  .transform(({ type, path }) => ({ type, path: path ?? '' }))
  .meta({ title: 'discovery', description: 'Where the endpoints of a cluster come from.' })

export type Discovery = z.output<typeof discovery>
