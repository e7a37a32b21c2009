/** `clusters[].discovery`: the registry that says where the endpoints of a cluster are. */
import * as z from 'zod'
import { dnsDiscovery } from './discovery/dns.js'
import { fileDiscovery } from './discovery/file.js'

/** Registries that are known by name and do not work yet. */
const later = ['consul', 'etcd', 'zookeeper', 'eureka', 'nacos', 'kubernetes', 'polaris']

export const discovery = z
  .discriminatedUnion('type', [dnsDiscovery, fileDiscovery])
  .meta({ title: 'discovery', description: 'Where the endpoints of a cluster come from.', later })

export type Discovery = z.output<typeof discovery>
