// The demo: a shop of four services in three languages, each beside a sidecar, behind an edge; a canary of three
// versions; one endpoint of the ratings that fails every second time, which nobody at the edge notices. At the edge a
// filter in TypeScript gives a third of the users another frontend, and a WebSocket tells what happens.
// With --check it runs for ten seconds without a terminal and tells by its exit code whether any request failed, any user
// got the wrong frontend or any event was lost.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { events, Feed } from './feed.mjs'
import { hopRows, readStats } from './hops.mjs'
import { startShop } from './processes.mjs'
import { workloads } from './shop.mjs'
import { steeredDemo } from './steered-demo.mjs'
import { Traffic } from './traffic.mjs'
import { edgeLine, feedLines, table } from './view.mjs'

const check = process.argv.includes('--check')
/** Real Envoys in the place of our proxies, steered by `weft control`. */
const withEnvoy = process.argv[process.argv.indexOf('--with') + 1] === 'envoy'
const requestsPerSecond = 100
const checkMs = 10_000

const folder = mkdtempSync(join(tmpdir(), 'weft-shop-'))
const ended = new Promise((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, resolve)
  if (check && !withEnvoy) setTimeout(resolve, checkMs + 5_000).unref()
})

let code = 1
try {
  console.log('building details (Go)')
  const details = join(folder, 'details')
  execFileSync('go', ['build', '-o', details, '.'], { cwd: fileURLToPath(new URL('shop/details', import.meta.url)) })
  code = await (withEnvoy ? steeredDemo(details, { check, ended }) : weftDemo(details))
} finally {
  rmSync(folder, { recursive: true })
}
process.exit(code)

async function weftDemo(details) {
  const shop = await startShop(workloads(details), folder, (line) => console.log(line))
  try {
    return await run(shop)
  } finally {
    await shop.end()
  }
}

async function run(shop) {
  console.log(`configurations: ${folder}`)
  const traffic = new Traffic(shop.url, requestsPerSecond)
  const feed = new Feed()
  await feed.open(shop.feed)
  const begun = performance.now()
  traffic.start()
  let before = await readStats(shop.admin)
  const second = async () => {
    const now = await readStats(shop.admin).catch(() => null)
    if (now === null) return
    const edge = { seconds: (performance.now() - begun) / 1000, failed: traffic.failed, ...traffic.takeWindow() }
    const rows = hopRows(now, before)
    before = now
    for (const event of events(edge, rows)) feed.tell(event)
    show(edgeLine(edge), () => [...table(rows, 1, process.stdout.isTTY), '', ...feedLines(shop.feed, feed)])
  }
  let shown = Promise.resolve()
  const screen = setInterval(() => {
    shown = shown.then(second)
  }, 1000)
  await (check ? new Promise((resolve) => setTimeout(resolve, checkMs)) : ended)
  clearInterval(screen)
  await shown
  await traffic.stop()
  await feed.close()
  const all = hopRows(await readStats(shop.admin))
  console.log(['', 'requests per hop, over the whole time:', ...counts(all)].join('\n'))
  if (traffic.firstFailure !== null) console.error(`first failure: ${traffic.firstFailure}`)
  console.log(
    `demo: ${traffic.requests} requests, ${traffic.failed} failed; ${feed.heard} of ${feed.told} events heard`,
  )
  const served = traffic.failed === 0 && traffic.requests > 0 && all.every(({ requests }) => requests > 0)
  return served && feed.told > 0 && feed.heard === feed.told ? 0 : 1
}

/** On a terminal the whole view, over the one before; elsewhere a line per second. */
function show(edge, rows) {
  if (!process.stdout.isTTY || check) console.log(edge)
  else process.stdout.write(`\u001b[2J\u001b[H${[edge, '', ...rows()].join('\n')}\n`)
}

function counts(rows) {
  return rows.map(({ from, to, depth, requests, failed, attempts }) => {
    const name = `${'  '.repeat(depth)}${from === undefined ? '' : `${from} → `}${to}`
    const retried = attempts > requests ? `, ${attempts - requests} retries` : ''
    return `${name.padEnd(34)}${String(requests).padStart(8)}  ${failed} failed${retried}`
  })
}
