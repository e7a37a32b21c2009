/** Whose a SPIFFE ID is; `*`, which only those who may see all are in, where it does not tell, as for names of hosts. */
export function namespaceOfIdentity(identity: string | null | undefined): string {
  return /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\//.exec(identity ?? '')?.[1] ?? '*'
}
