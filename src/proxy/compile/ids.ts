/** Names → indexes: entries of a snapshot refer to each other by their places in its lists. */

export type Ids = ReadonlyMap<string, number>

export function idsOf(entries: readonly { name: string }[]): Ids {
  return new Map(entries.map(({ name }, index) => [name, index]))
}

export function id(ids: Ids, name: string): number {
  const found = ids.get(name)
  if (found === undefined) throw new Error(`validation let the unknown name ${JSON.stringify(name)} through`)
  return found
}
