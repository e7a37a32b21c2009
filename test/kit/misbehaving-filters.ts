/** Filters that misbehave, as modules in a folder: one for each phase, told by its options how. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { scratchFolder } from './scratch.js'

export const phases = ['onRequest', 'onRequestBody', 'onResponse', 'onResponseBody'] as const
export type PhaseName = (typeof phases)[number]

/** In any place. */
export const misdeeds = ['throw', 'reject', 'nonsense', 'bad header'] as const
/** Only a thread that can be ended alone survives these. */
export const worseMisdeeds = ['spin', 'never answer', 'exit', 'eat memory'] as const
export type Misdeed = (typeof misdeeds)[number] | (typeof worseMisdeeds)[number]

const index = join(import.meta.dirname, '../../dist/index.js')

const module = (phase: PhaseName, body: string) => `
import { defineFilter } from ${JSON.stringify(index)}
const misbehave = {
  throw() { throw new Error('thrown on purpose') },
  async reject() { throw new Error('rejected on purpose') },
  nonsense() { return 42 },
  'bad header'(message) { message.headers?.set('a b', 'c'); return message.headers ? undefined : { headers: 1 } },
  spin() { for (;;); },
  'never answer'() { return new Promise(() => {}) },
  exit() { process.exit(3) },
  'eat memory'() { for (const eaten = []; ; ) eaten.push(new Array(1000).fill(Math.random())) },
}
export default defineFilter({
  name: 'bad-${phase}',
  ${body}
  ${phase}(message, context) { return misbehave[context.options.misdeed](message) },
})
`

/** Where the modules are: a file for each phase. */
export function writeMisbehavingFilters(): string {
  const folder = join(scratchFolder(), 'filters')
  mkdirSync(folder)
  for (const phase of phases) {
    const body = phase.endsWith('Body')
      ? `${phase === 'onRequestBody' ? 'requestBody' : 'responseBody'}: 'buffer',`
      : ''
    writeFileSync(join(folder, `${phase}.mjs`), module(phase, body))
  }
  const good = `
import { defineFilter } from ${JSON.stringify(index)}
export default defineFilter({
  name: 'good',
  async onRequest(request) { request.headers.set('x-good', 'yes') },
})
`
  writeFileSync(join(folder, 'good.mjs'), good)
  return folder
}
