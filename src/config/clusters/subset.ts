/** Subsets of a cluster: the label names that divide it, and how a route names one of its parts. */
import * as z from 'zod'
import { name } from '../forms/name.js'

const labelText = z.string().min(1).max(256)
const labels = z
  .record(labelText, z.string().max(256))
  .refine((map) => Object.keys(map).length > 0, { error: 'must have at least one label' })

export const subsets = z
  .strictObject({
    keys: z.array(z.array(labelText).min(1).max(8)).min(1).max(16).meta({
      description: 'Sets of label names: endpoints that agree in all labels of one are a subset',
    }),
    fallback: z.enum(['none', 'any', 'default']).default('none').meta({
      description: 'Who answers for a subset without endpoints: nobody (503), the whole cluster, or `default`',
    }),
    default: labels.nullable().default(null).meta({ description: 'The subset of `fallback: default`, by its labels' }),
  })
  .superRefine(({ keys, fallback, default: labels }, context) => {
    const issue = (message: string) => context.addIssue({ code: 'custom', path: ['default'], message })
    if (fallback === 'default' && labels === null) issue('is what `fallback: default` needs: the labels of a subset')
    if (fallback !== 'default' && labels !== null) issue(`belongs to \`fallback: default\`, not to ${fallback}`)
    if (labels === null) return
    const found = subsetLabels(labels, keys)
    if ('problem' in found) issue(found.problem)
  })
  .transform(({ keys, fallback, default: labels }) => ({
    keys,
    fallback: labels === null || fallback !== 'default' ? (fallback as 'none' | 'any') : { labels },
  }))
  .meta({ title: 'subsets', description: 'Parts of the cluster that routes can name.' })

/** What everybody writes who names where requests go; to spread into an object's declaration. */
export const destination = {
  cluster: name().meta({ description: 'Name of a cluster' }),
  subset: z.union([labelText, labels]).nullable().default(null).meta({
    description: "A part of it, by its labels, or by the label's value where one alone divides it; absent: all of it",
    form: 'v2',
  }),
}

export type Labels = Record<string, string>

/** The labels that a subset's name stands for in a cluster with these `keys`, or why it stands for none. */
export function subsetLabels(
  subset: string | Labels,
  keys: readonly (readonly string[])[],
): { labels: Labels } | { problem: string } {
  if (keys.length === 0) return { problem: 'the cluster has no `subsets`' }
  const known = keys.map(words).join(' and by ')
  if (typeof subset !== 'string') {
    const asked = words(Object.keys(subset))
    if (keys.some((set) => words(set) === asked)) return { labels: subset }
    return { problem: `the cluster has no subsets by ${asked}, only by ${known}` }
  }
  const single = keys.filter((set) => set.length === 1)
  const [only] = single[0] ?? []
  if (only !== undefined && single.length === 1) return { labels: { [only]: subset } }
  return { problem: `says too little: the cluster has subsets by ${known}; write the labels` }
}

function words(keys: readonly string[]): string {
  return [...keys].sort().join(', ')
}
