import type { Stats } from '../native/index.js'
export function renderPrometheus(stats: Stats): string {
  return `weft_generation ${stats.generation}\n`
}
