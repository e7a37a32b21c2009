#!/usr/bin/env node
// The packages that the programs under TREE need, in the words of Depends: the system's C and C++ libraries, in the
// oldest version that has every symbol they ask for.
// usage: libraries.mjs TREE
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const [tree] = process.argv.slice(2)
const programs = readdirSync(tree, { recursive: true }).filter((path) => /bin\/weft$|\.node$/.test(path))

/** The highest of the versions that the files name, such as 2.34 of GLIBC_2.34. */
function highest(prefix) {
  const found = programs.flatMap((path) => {
    const text = readFileSync(join(tree, path), 'latin1')
    return [...text.matchAll(new RegExp(`\\0${prefix}_(\\d+(?:\\.\\d+)+)(?=\\0)`, 'g'))].map(([, version]) => version)
  })
  return found.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1)
}

/** Which GCC brought a version of the C++ library's symbols: 3.4.21 came with 5, each next with the next or in between. */
const gccOf = { '3.4.21': '5', '3.4.22': '6', '3.4.26': '9', '3.4.28': '10', '3.4.29': '11', '3.4.30': '12' }
const cxx = highest('GLIBCXX')
const gcc = gccOf[cxx]
if (gcc === undefined) throw new Error(`which libstdc++6 has GLIBCXX_${cxx}? Add it to the list`)
console.log(`libc6 (>= ${highest('GLIBC')}), libgcc-s1, libstdc++6 (>= ${gcc})`)
