/**
 * Who may do what: four roles, each in the namespaces of its holder.
 *
 * | role | may |
 * |---|---|
 * | workload | register and deregister itself; with a service, only under that service |
 * | viewer | read resources, workloads, status |
 * | operator | what viewers and workloads may, and change resources |
 * | admin | what operators may, and hand out tokens and read the audit log |
 */
import { WeftError } from '../../errors.js'

export const roles = ['workload', 'viewer', 'operator', 'admin'] as const
export type Role = (typeof roles)[number]

export type Action = 'read' | 'register' | 'write' | 'administer'

const grants: Record<Role, readonly Action[]> = {
  workload: ['register'],
  viewer: ['read'],
  operator: ['read', 'register', 'write'],
  admin: ['read', 'register', 'write', 'administer'],
}

/** Somebody who has proved who they are. */
export interface Principal {
  /** For the audit log: `token:3f2a…(name)`, `certificate:spiffe://…`. */
  name: string
  role: Role
  /** `*` for all. */
  namespaces: readonly string[]
  /** The one service that it may register; null for any. */
  service: string | null
}

export function mayDo({ role }: Principal, action: Action): boolean {
  return grants[role].includes(action)
}

export function mayIn({ namespaces }: Principal, namespace: string): boolean {
  return namespaces.includes('*') || namespaces.includes(namespace)
}

/** Throws `WEFT_ACCESS_FORBIDDEN`; without a namespace the action concerns all of them. */
export function demand(principal: Principal, action: Action, namespace?: string): void {
  if (!mayDo(principal, action)) {
    const able = roles.filter((role) => grants[role].includes(action)).join(' or ')
    throw forbidden(principal, `${able} is needed, and this is ${principal.role}`)
  }
  if (namespace !== undefined && !mayIn(principal, namespace)) {
    throw forbidden(principal, `the namespace ${namespace} is not among ${principal.namespaces.join(', ')}`)
  }
}

/** The same for what looks at all namespaces at once. */
export function demandEverywhere(principal: Principal, action: Action): void {
  demand(principal, action)
  if (!principal.namespaces.includes('*')) {
    throw forbidden(principal, `this looks at all namespaces, and here are ${principal.namespaces.join(', ')}`)
  }
}

/** Whether everything that `other` may do, `principal` may do as well. */
export function covers(principal: Principal, other: Pick<Principal, 'role' | 'namespaces'>): boolean {
  const actions = grants[other.role].every((action) => mayDo(principal, action))
  return actions && other.namespaces.every((namespace) => mayIn(principal, namespace))
}

function forbidden({ name }: Principal, why: string): WeftError {
  return new WeftError('WEFT_ACCESS_FORBIDDEN', `${name} may not do this: ${why}`, {
    hint: 'an admin can make a token that may: weft token create --role ROLE --namespace NAMESPACE',
  })
}
