// `scripts/demo --with envoy`: the same shop, each application beside a real Envoy, and one command that steers them all.
// Steps follow each other: a canary, its move to the newest version, its way back; who may not call is refused.
// With --check each step is judged by counted requests, and the exit code tells.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from './processes.mjs'
import { workloads } from './shop.mjs'
import { startSteered } from './steered-processes.mjs'
import { canary, mesh, tester } from './steered-shop.mjs'
import { Traffic } from './traffic.mjs'

const requestsPerSecond = 60

/** Runs until the last step, with `check`, or until `ended`. Resolves with the exit code. */
export async function steeredDemo(details, { check, ended }) {
  const folder = mkdtempSync(join(tmpdir(), 'weft-steered-'))
  // One frontend: here nobody divides the users.
  const shop = workloads(details).filter(({ name }) => name !== 'frontend-b')
  try {
    const steered = await startSteered(shop, folder, (line) => console.log(line))
    try {
      return await run(steered, folder, { check, ended })
    } finally {
      await steered.end()
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function run(steered, folder, { check, ended }) {
  const { inbound: door } = await freePorts()
  const apply = async (resources) => {
    const name = resources.length === 1 ? 'reviews.yaml' : 'mesh.yaml'
    const file = join(folder, name)
    // JSON is YAML.
    writeFileSync(file, resources.map((resource) => JSON.stringify(resource, null, 2)).join('\n---\n'))
    const { code, stdout, stderr } = await steered.run('apply', '-f', file)
    console.log(`$ weft apply -f ${name}`)
    for (const line of `${stdout}${stderr}`.trim().split('\n')) console.log(`  ${line}`)
    if (code !== 0) throw new Error('not applied everywhere')
  }
  await apply([...mesh(door), ...canary([60, 30, 10])])
  const seen = new Seen()
  const traffic = new Traffic(`http://127.0.0.1:${door}`, requestsPerSecond, (user, page) => seen.note(user, page))
  traffic.start()
  const failures = []
  const judge = (good, what) => {
    console.log(`  ${good ? 'yes' : 'NO'}: ${what}`)
    if (!good) failures.push(what)
  }
  const steps = stepsOf({ seen, traffic, steered, apply, judge })
  let over = false
  void ended.then(() => {
    over = true
  })
  do {
    for (const step of steps) if (!over) await step()
  } while (!check && !over)
  await traffic.stop()
  const hops = await readHops(steered.ports)
  console.log(['', 'requests per hop, as the Envoys count them:', ...hops.map(hopLine)].join('\n'))
  if (traffic.firstFailure !== null) console.error(`first failure: ${traffic.firstFailure}`)
  console.log(`demo: ${traffic.requests} requests, ${traffic.failed} failed; ${failures.length} expectations missed`)
  return traffic.failed === 0 && traffic.requests > 0 && failures.length === 0 ? 0 : 1
}

const stepSeconds = 4

function stepsOf({ seen, traffic, steered, apply, judge }) {
  const watch = async (title) => {
    console.log(`\n${title}`)
    seen.clear()
    await new Promise((resolve) => setTimeout(resolve, stepSeconds * 1000))
    const { answers, p50, p99 } = traffic.takeWindow()
    console.log(
      `  ${answers} answers, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, ${traffic.failed} failed; reviews ${seen}`,
    )
  }
  return [
    async () => {
      await watch('a canary: reviews 60 / 30 / 10, the tester always sees v3')
      const { v1, v2, v3, all } = seen.shares()
      judge(all > 0 && v1 > v2 && v2 > v3 && v3 > 0, 'the shares are as they were asked for')
      judge(seen.tester.size === 1 && seen.tester.has('v3'), 'the tester saw v3 and nothing else')
    },
    async () => {
      console.log('\nwho may not call')
      const { status, body } = await steeredCall(steered, 'details', 'reviews')
      judge(status === 403, `details → reviews: ${status} ${body.trim()}`)
      const plain = await plainCall(steered.ports.get('ratings-1').inbound)
      judge(plain !== 200, `without a certificate → ratings: ${plain}`)
    },
    async () => {
      await apply(canary([0, 0, 100]))
      await watch('all to v3')
      const { v3, all } = seen.shares()
      judge(all > 0 && v3 === all, 'every answer is of v3')
    },
    async () => {
      const { code, stderr } = await steered.run('rollback', 'virtualservice', 'reviews')
      console.log(`$ weft rollback virtualservice reviews\n  ${stderr.trim()}`)
      judge(code === 0, 'the rollback is in force everywhere')
      await watch('back to 60 / 30 / 10')
      const { v1, v3 } = seen.shares()
      judge(v1 > v3, 'the old shares are back')
      const { stdout } = await steered.run('check')
      judge(/ 0 errors/.test(stdout), `weft check: ${stdout.trim().split('\n').at(-1)}`)
    },
  ]
}

/** As the application of one workload calls another service: through its Envoy. */
async function steeredCall({ ports }, from, service) {
  const answer = await request(ports.get(from).outbound, service)
  return answer
}

/** A status, or why there is none. */
async function plainCall(port) {
  return request(port, 'ratings').then(
    ({ status }) => status,
    (error) => error.cause?.code ?? error.message,
  )
}

async function request(port, host) {
  const { request: send } = await import('undici')
  const { statusCode: status, body } = await send(`http://127.0.0.1:${port}/reviews`, { headers: { host } })
  return { status, body: await body.text() }
}

/** Which versions of the reviews answered. */
class Seen {
  tester = new Set()
  #counts = new Map()

  note(user, { reviews: { version } }) {
    this.#counts.set(version, (this.#counts.get(version) ?? 0) + 1)
    if (user === tester) this.tester.add(version)
  }

  clear() {
    this.#counts.clear()
    this.tester.clear()
  }

  shares() {
    const of = (version) => this.#counts.get(version) ?? 0
    return { v1: of('v1'), v2: of('v2'), v3: of('v3'), all: [...this.#counts.values()].reduce((a, b) => a + b, 0) }
  }

  toString() {
    const { v1, v2, v3 } = this.shares()
    return `v1 ${v1}, v2 ${v2}, v3 ${v3}`
  }
}

/** What each Envoy sent to which cluster. */
async function readHops(ports) {
  const rows = []
  for (const [from, { admin }] of ports) {
    const url = `http://127.0.0.1:${admin}/stats?format=json&filter=upstream_rq_(total|retry)$`
    const { stats } = await (await fetch(url)).json()
    const values = new Map(stats.filter(({ name }) => name !== undefined).map(({ name, value }) => [name, value]))
    for (const [name, requests] of values) {
      const [, cluster] = /^cluster\.(.+)\.upstream_rq_total$/.exec(name) ?? []
      if (cluster === undefined || requests === 0 || !cluster.includes('/')) continue
      rows.push({ from, to: cluster, requests, retries: values.get(`cluster.${cluster}.upstream_rq_retry`) ?? 0 })
    }
  }
  return rows.reverse()
}

function hopLine({ from, to, requests, retries }) {
  const retried = retries > 0 ? `, ${retries} retries` : ''
  return `  ${`${from} → ${to}`.padEnd(48)}${String(requests).padStart(8)}${retried}`
}
