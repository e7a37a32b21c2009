/**
 * The shape of every endpoint of the API: declared with its schemas, answered from the context. Routing, permission,
 * validation and the OpenAPI document all come from the declaration.
 */
import type * as z from 'zod'
import type { Action, Principal } from '../access/roles.js'
import type { Tokens } from '../access/tokens.js'
import type { AuditLog } from '../audit.js'
import type { CertificateAuthority } from '../ca/certificate-authority.js'
import type { CertificateSource } from '../certificates/certificate-source.js'
import type { DataPlanes } from '../data-planes/data-planes.js'
import type { Registry } from '../registry/registry.js'
import type { MeshSource } from '../state/mesh-source.js'
import type { ResourceChanges } from '../state/resource-changes.js'
import type { ResourceKinds } from '../state/resource-kinds.js'
import type { Store } from '../store/store.js'

/** What endpoints see of the control plane. */
export interface ApiContext {
  version: string
  startedAtMs: number
  /** Wall clock. */
  nowMs: () => number
  store: Store
  kinds: ResourceKinds
  changes: ResourceChanges
  registry: Registry
  tokens: Tokens
  audit: AuditLog
  dataPlanes: DataPlanes
  /** Null: nobody issues certificates here. */
  authority: CertificateAuthority | null
  trustDomain: string
  /** PEM: the chain that this API shows; null where it is plain. */
  ownChain: () => string | null
  place: Place
}

/** Where and how this control plane stands, for the checks. */
export interface Place {
  /** Its folder. */
  data: string
  source: MeshSource
  certificates: CertificateSource
  operatorsByCertificate: boolean
  /** Whether other machines can reach the API or the xDS server. */
  open: boolean
}

export interface ApiRequest<Query = unknown, Body = unknown> {
  principal: Principal
  /** The parts of the path that are named in it. */
  params: Readonly<Record<string, string>>
  query: Query
  body: Body
  /** IP address of the caller. */
  remoteAddress: string
}

/** `stream`: JSON lines for as long as both sides want; the function that it returns is called at the end. */
export type ApiAnswer =
  | { status: number; body: unknown }
  | { stream: (line: (value: unknown) => void, end: () => void) => () => void }

export interface Endpoint<Query extends z.ZodType = z.ZodType, Body extends z.ZodType = z.ZodType> {
  method: 'GET' | 'POST' | 'DELETE'
  /** `/v1/resources/{kind}`. */
  path: string
  about: string
  /** `open` needs no token; `known` any. The namespace is judged where it is known. */
  access: Action | 'open' | 'known'
  query?: Query
  body?: Body
  /** What a good answer looks like, for the document. */
  result: z.ZodType
  answer(context: ApiContext, request: ApiRequest<z.output<Query>, z.output<Body>>): ApiAnswer | Promise<ApiAnswer>
}

/** Gives the answer the types of its schemas. */
export function endpoint<Query extends z.ZodType, Body extends z.ZodType>(declared: Endpoint<Query, Body>): Endpoint {
  return declared as unknown as Endpoint
}

export const ok = (body: unknown, status = 200): ApiAnswer => ({ status, body })
