/** From a module's URL, or a definition at hand, to a filter that can run. */
import {
  type FilterDefinition,
  type FilterLog,
  type InlineFilter,
  isInlineFilter,
  type OptionsIssue,
} from './definition.js'
import { offerOwnPackage } from './own-package.js'
import { keeps, type LoadedFilter, phasesOf } from './run-phase.js'

/** Options that the filter's schema refuses; paths are relative to them. */
export class OptionsRefused extends Error {
  readonly issues: { path: (string | number)[]; message: string }[]

  constructor(issues: readonly OptionsIssue[]) {
    const plain = issues.map(({ path = [], message }) => ({ path: path.map(stepOf), message }))
    super(plain.map(({ path, message }) => `options${path.map((step) => `.${step}`).join('')}: ${message}`).join('; '))
    this.issues = plain
  }
}

/** The default export of a module. Throws what the module throws, and when it exports something else. */
export async function importFilter(url: string): Promise<FilterDefinition> {
  offerOwnPackage(new URL(url))
  const loaded = (await import(url)) as { default?: unknown }
  // A CommonJS module that was compiled from `export default` has it one step further in.
  const inner = (loaded.default as { default?: unknown } | undefined)?.default
  const filter = [loaded.default, inner].find(isInlineFilter) as InlineFilter | undefined
  if (filter === undefined)
    throw new TypeError('its default export is no filter: write `export default defineFilter({ … })`')
  return filter.definition
}

/** Throws {@link OptionsRefused}. */
export async function readyFilter(
  definition: FilterDefinition,
  options: unknown,
  log: FilterLog,
): Promise<LoadedFilter> {
  const read = await readOptions(definition, options)
  const context = { options: read, state: undefined, log }
  return { definition, options: read, context, phases: phasesOf(definition), keeps: keeps(definition) }
}

async function readOptions({ options: schema }: FilterDefinition, written: unknown): Promise<unknown> {
  if (schema === undefined) return written
  const verdict = await schema['~standard'].validate(written)
  if (verdict.issues !== undefined) throw new OptionsRefused(verdict.issues)
  return verdict.value
}

function stepOf(step: PropertyKey | { readonly key: PropertyKey }): string | number {
  const key = typeof step === 'object' ? step.key : step
  return typeof key === 'number' ? key : String(key)
}
