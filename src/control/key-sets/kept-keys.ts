/** The last good keys in a file, so that a control plane that starts while an issuer is away refuses nobody. */
import { readFileSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { readKeySet } from '../resources/key-set.js'

/** By where they were fetched. A file that is not there or not ours counts as empty: the keys are fetched again. */
export function readKeptKeys(file: string): Map<string, string> {
  try {
    const kept = Object.entries(JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>)
    return new Map(kept.map(([source, keys]) => [source, readKeySet(keys, { secrets: false })]))
  } catch {
    return new Map()
  }
}

export async function keepKeys(file: string, keys: ReadonlyMap<string, string>): Promise<void> {
  const next = `${file}.new`
  await writeFile(next, `${JSON.stringify(Object.fromEntries(keys))}\n`, { mode: 0o600 })
  await rename(next, file)
}
