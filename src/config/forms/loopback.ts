/** Whether only this machine can connect to an address; apart from the schemas, so that it costs nothing to import. */

export function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address.startsWith('[::1]:')
}
