/** Suggestions as a patch to put into a configuration: YAML with what was configured and why beside each value. */
import type { Suggestion } from './suggestions.js'

/** Empty when there is nothing to change. */
export function patchOf(suggestions: readonly Suggestion[]): string {
  return (['routes', 'clusters'] as const)
    .flatMap((noun) => {
      const names = [...new Set(changing(suggestions, noun).map(({ name }) => name))]
      return names.length === 0 ? [] : [`${noun}:`, ...names.flatMap((name) => entry(suggestions, noun, name))]
    })
    .map((line) => `${line}\n`)
    .join('')
}

function changing(suggestions: readonly Suggestion[], wanted: Suggestion['noun']): Suggestion[] {
  return suggestions.filter(({ noun, suggested }) => noun === wanted && suggested !== null)
}

function entry(suggestions: readonly Suggestion[], noun: Suggestion['noun'], wanted: string): string[] {
  const values = changing(suggestions, noun).filter(({ name }) => name === wanted)
  const lines = values.flatMap(({ key, suggested, configured, reason }) => {
    const [outer, inner] = key
    const told = `# was ${configured}; ${reason}`
    if (inner === undefined) return [`    ${told}`, `    ${outer}: ${suggested}`]
    return [`    ${told}`, `    ${outer}: { ${inner}: ${suggested} }`]
  })
  return [`  - name: ${/^[A-Za-z][\w.-]*$/.test(wanted) ? wanted : JSON.stringify(wanted)}`, ...lines]
}
