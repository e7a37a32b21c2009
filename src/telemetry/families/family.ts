/** A metric family as a page of Prometheus has it: one name, one type, one help text, samples. */

export type Labels = Record<string, string>

export interface Sample {
  /** Appended to the family's name: `_sum`, `_bucket` and the like. */
  suffix?: string
  /** As {@link renderLabels} writes them. */
  labels: string
  /** Upper bound of a bucket. */
  bound?: string
  value: number
}

export interface Family {
  name: string
  type: 'counter' | 'gauge' | 'histogram'
  help: string
  samples: Sample[]
}

export function family(name: string, type: Family['type'], help: string, samples: Sample[]): Family {
  return { name, type, help, samples }
}

/** Buckets as Prometheus wants them: each holds what the ones below it hold; the last one has no bound. */
export function histogramSamples(
  labels: string,
  { counts, bounds, sum }: { counts: readonly number[]; bounds: readonly string[]; sum: number },
): Sample[] {
  let below = 0
  const buckets = counts.map((count, place) => {
    below += count
    return { suffix: '_bucket', labels, bound: bounds[place] ?? '+Inf', value: below }
  })
  return [...buckets, { suffix: '_sum', labels, value: sum }, { suffix: '_count', labels, value: below }]
}

export function renderFamily({ name, type, help, samples }: Family): string {
  let page = `# HELP ${name} ${escapeText(help)}\n# TYPE ${name} ${type}\n`
  for (const { suffix = '', labels, bound, value } of samples) {
    const all = bound === undefined ? labels : `${labels},le="${bound}"`
    page += all === '' ? `${name}${suffix} ${value}\n` : `${name}${suffix}{${all}} ${value}\n`
  }
  return page
}

/** Once for all samples of a series: a page of 2,000 series has 100,000 of them. */
export function renderLabels(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escapeText(value).replaceAll('"', '\\"')}"`)
    .join(',')
}

function escapeText(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}
