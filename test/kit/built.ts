/** Programs of the workspace that cargo has built for release. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const folder = join(process.env.CARGO_TARGET_DIR ?? join(import.meta.dirname, '../../target'), 'release')

export function built(name: 'weft-agent' | 'weft-load'): string {
  const file = join(folder, name)
  if (!existsSync(file)) throw new Error(`${file} is missing: cargo build --release -p ${name}`)
  return file
}
