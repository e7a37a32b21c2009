// Loaded with NODE_OPTIONS=--import into each thread of a proxy: a traffic thread makes itself known as `alive-ID` in the
// folder of the environment variable TEST_WORKER_ENDINGS, and ends in the way that a file `end-ID` asks for.
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { isMainThread, threadId, workerData } from 'node:worker_threads'

const folder = process.env.TEST_WORKER_ENDINGS

const ways = {
  throw() {
    throw new Error('thrown by the test')
  },
  spin() {
    for (;;);
  },
  memory() {
    const held = []
    for (;;) held.push(new Array(1_000_000).fill(0.5))
  },
}

function look() {
  let way
  try {
    way = readFileSync(`${folder}/end-${threadId}`, 'utf8')
    renameSync(`${folder}/end-${threadId}`, `${folder}/ended-${threadId}`)
  } catch {
    return // not asked yet
  }
  ways[way]()
}

// The thread that reads the configuration is told its file; traffic threads are told nothing when they start.
if (!isMainThread && workerData?.file === undefined) {
  writeFileSync(`${folder}/alive-${threadId}`, '')
  setInterval(look, 5).unref()
}
