/** An example of `test/examples/program` as it stands, run by the command; only its addresses are a test's own. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from './free-port.js'
import { Program } from './program.js'
import { entry } from './proxy-process.js'
import { scratchFolder } from './scratch.js'

const folder = join(import.meta.dirname, '../examples/program')

export interface ExampleOptions {
  /** What the example's endpoints are instead: 9000 → the port. */
  endpoints?: Record<number, number>
  env?: Record<string, string>
  workers?: number
}

/** Resolves with the process and its port when it is ready. */
export async function startExample(name: string, options: ExampleOptions = {}): Promise<[Program, number]> {
  const { endpoints = {}, env = {}, workers } = options
  const port = await freePort()
  let text = readFileSync(join(folder, `${name}.yaml`), 'utf8').replaceAll(/module: \.\.?\//g, (found) =>
    found.endsWith('../') ? `module: ${folder}/../` : `module: ${folder}/`,
  )
  for (const [from, to] of Object.entries({ 8080: port, ...endpoints })) {
    text = text.replaceAll(`127.0.0.1:${from}`, `127.0.0.1:${to}`)
  }
  if (workers !== undefined) text = `workers: ${workers}\n${text}`
  const file = join(scratchFolder(), `${name}.yaml`)
  writeFileSync(file, text)
  const weft = new Program(process.execPath, [entry, 'run', '-c', file], { env })
  await weft.says(' ready in ')
  return [weft, port]
}
