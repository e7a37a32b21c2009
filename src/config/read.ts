/** First and second step of a configuration change in one call: a file becomes a resolved configuration, or every issue. */
import { type LoadOptions, loadTree, placeFinder, placeFindings } from './files/include.js'
import { issueAt, sorted, type Validation, validate } from './validate.js'

/** Throws `WEFT_CONFIG_UNREADABLE` and `WEFT_CONFIG_SYNTAX` for a file that cannot be read at all. */
export async function readConfig(file: string, options: LoadOptions = {}): Promise<Validation> {
  const tree = await loadTree(file, options)
  if (tree.findings.length > 0) {
    // What a missing variable leaves behind would only be found wrong once more.
    const placed = await placeFindings(tree)
    return { config: null, issues: sorted(placed.map(({ place, finding }) => issueAt(place, finding))) }
  }
  const first = validate(tree.value)
  return first.config === null ? validate(tree.value, await placeFinder(tree)) : first
}
