/** The difference of two texts by lines, as the longest common subsequence leaves it, with some lines around. */

const contextLines = 3
/** Above it the table would be larger than the answer is worth: all of one, then all of the other. */
const maxCells = 4_000_000

/** Lines that begin with ` `, `-` or `+`; `@@` where lines were left out; empty when the texts are equal. */
export function diffLines(before: string, after: string): string[] {
  const [a, b] = [linesOf(before), linesOf(after)]
  const all = a.length * b.length > maxCells ? replaceAll(a, b) : compare(a, b)
  return all.some((line) => !line.startsWith(' ')) ? shorten(all) : []
}

function linesOf(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n')
}

function replaceAll(a: readonly string[], b: readonly string[]): string[] {
  return [...a.map((line) => `-${line}`), ...b.map((line) => `+${line}`)]
}

function compare(a: readonly string[], b: readonly string[]): string[] {
  // common[i][j]: length of the longest common subsequence of a from i and b from j.
  const common = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1))
  const at = (i: number, j: number) => common[i]?.[j] ?? 0
  for (let i = a.length - 1; i >= 0; i -= 1) {
    const row = common[i] as Uint32Array
    for (let j = b.length - 1; j >= 0; j -= 1) {
      row[j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
    }
  }
  const lines: string[] = []
  let [i, j] = [0, 0]
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push(` ${a[i]}`)
      i += 1
      j += 1
    } else if (i < a.length && (j >= b.length || at(i + 1, j) >= at(i, j + 1))) {
      lines.push(`-${a[i]}`)
      i += 1
    } else {
      lines.push(`+${b[j]}`)
      j += 1
    }
  }
  return lines
}

function shorten(lines: readonly string[]): string[] {
  const kept = lines.map((_, at) => {
    return lines.slice(Math.max(0, at - contextLines), at + contextLines + 1).some((line) => !line.startsWith(' '))
  })
  return lines.flatMap((line, at) => {
    if (kept[at]) return [line]
    return at === 0 || kept[at - 1] ? ['@@'] : []
  })
}
