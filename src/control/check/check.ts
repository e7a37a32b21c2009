/**
 * What `weft check` asks the control plane about itself: facts are gathered once, and each check is a pure question to
 * them.
 *
 * Invariant: a check that finds something says what, why it matters and what to do.
 */

import type { AuthorityStatus, ShownLink } from '../ca/status.js'
import type { DataPlane, Reached } from '../data-planes/data-planes.js'
import type { RegistryStatus } from '../registry/registry.js'
import type { Notice } from '../state/resource-kinds.js'
import type { StoreStatus } from '../store/store.js'

export interface Facts {
  nowMs: number
  store: StoreStatus
  /** Of the file system that the data folder is on; null: the system does not say. */
  disk: { freeBytes: number; totalBytes: number } | null
  /** Why the audit log cannot be written; null: it can. */
  auditFault: string | null
  /** Age of the file with the first admin's token; null: it is gone. */
  firstTokenAgeMs: number | null
  tokens: readonly { name: string; role: string; expiresAtMs: number | null }[]
  /** Whether operators may come with certificates. */
  operatorsByCertificate: boolean
  /** The chain that the API shows; empty without TLS. */
  serverLinks: readonly ShownLink[]
  /** Whether other machines can reach the API or the xDS server. */
  open: boolean
  /** Where workload certificates come from. */
  certificates: 'authority' | 'files' | 'none'
  /** Roots that are trusted, where they come from files. */
  rootLinks: readonly ShownLink[]
  /** Authorities of ConfigMaps. */
  serviceRootLinks: readonly ShownLink[]
  authority: AuthorityStatus | null
  registry: RegistryStatus
  /** With no workload that may be called. */
  lonelyServices: readonly string[]
  /** Resources that ask for certificates, such as a PeerAuthentication that is STRICT. */
  wantCertificates: readonly string[]
  dataPlanes: readonly DataPlane[]
  reached: readonly Reached[]
  /** Names of resources that are meant for data planes. */
  resources: readonly string[]
  notices: readonly Notice[]
}

/** `warning`: it works, and will not for long, or not as it was meant. */
export interface Finding {
  level: 'warning' | 'error'
  /** What was found, with its reason. */
  message: string
  hint: string
}

export interface Check {
  id: string
  group: 'store' | 'access' | 'certificates' | 'registry' | 'data planes' | 'resources'
  /** What is so when all is well. */
  about: string
  /** Null: all is well. */
  look(facts: Facts): Finding | null
}

export interface Checked {
  id: string
  group: string
  about: string
  level: 'ok' | 'warning' | 'error'
  message: string | null
  hint: string | null
}

export function warn(message: string, hint: string): Finding {
  return { level: 'warning', message, hint }
}

export function fail(message: string, hint: string): Finding {
  return { level: 'error', message, hint }
}

/** The first few of a list, and how many more there are. */
export function some(names: readonly string[], most = 3): string {
  const more = names.length - most
  return `${names.slice(0, most).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}
