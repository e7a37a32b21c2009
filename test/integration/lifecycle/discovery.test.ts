/** Endpoints from a watched file: changes reach the next request without a new generation, a wrong file changes nothing. */
import { renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Client, request } from 'undici'
import { afterEach, expect, it } from 'vitest'
import { closeUpstreams, Upstream } from '../../kit/http-upstream.js'
import { endPrograms } from '../../kit/program.js'
import { ProxyProcess } from '../../kit/proxy-process.js'

afterEach(async () => {
  await endPrograms()
  await closeUpstreams()
})

const discovery = { type: 'file', path: 'app.endpoints.yaml' } as const

async function discovering(text: string | null): Promise<{ proxy: ProxyProcess; write: (text: string) => void }> {
  const proxy = await ProxyProcess.launch('127.0.0.1:1', {
    cluster: { endpoints: null, discovery },
  })
  const file = join(dirname(proxy.file), discovery.path)
  const write = (text: string) => {
    writeFileSync(`${file}.new`, text)
    renameSync(`${file}.new`, file)
  }
  // The process takes longer to start than this: it reads the file when it is there.
  if (text !== null) write(text)
  await proxy.says(' ready in ')
  return { proxy, write }
}

/** How often each upstream answers. */
async function answers(url: string, count: number): Promise<Record<string, number>> {
  const seen: Record<string, number> = {}
  for (let turn = 0; turn < count; turn++) {
    const { headers, body } = await request(url)
    await body.dump()
    const name = String(headers['x-upstream'])
    seen[name] = (seen[name] ?? 0) + 1
  }
  return seen
}

it('endpoints come, go and change their weight with the next request; exchanges under way stay where they are', async () => {
  const [one, two, three] = [await Upstream.start('one'), await Upstream.start('two'), await Upstream.start('three')]
  const { proxy, write } = await discovering(`- ${one.address}\n`)
  expect(await answers(proxy.url, 4)).toEqual({ one: 4 })
  const client = new Client(proxy.url)
  const open = client.request({ path: '/hold', method: 'GET' })
  const { response } = await one.held()

  write(`- ${one.address}\n- { address: '${two.address}', weight: 2, zone: east-b }\n`)
  await proxy.says(/endpoints changed cluster=app added=1 changed=0 removed=0/)
  expect(await answers(proxy.url, 9)).toEqual({ one: 3, two: 6 })

  write(`- { address: '${two.address}', weight: 1, zone: east-b }\n- ${three.address}\n`)
  await proxy.says(/endpoints changed cluster=app added=1 changed=1 removed=1/)
  expect(await answers(proxy.url, 8)).toEqual({ two: 4, three: 4 })
  response.end('from where it began')
  expect(await (await open).body.text()).toBe('from where it began')

  const { generation, clusters } = await proxy.stats()
  expect(generation).toBe(1)
  expect(clusters[0]?.endpoints.map(({ address, requests }) => [address, requests])).toEqual(
    expect.arrayContaining([
      [two.address, 10],
      [three.address, 4],
    ]),
  )
  await client.close()
  expect(await proxy.stop()).toBe(0)
})

it.each([
  ['broken', '- 127.0.0.1:80\n- { address: [\n', /keeps the endpoints it has: .*app.endpoints.yaml:\d+:\d+/],
  ['wrong', '- 127.0.0.1:80\n- nonsense\n', /keeps the endpoints it has: .*app.endpoints.yaml:2: \[1\]/],
  [
    'of no weight',
    '- { address: 127.0.0.1:80, weight: 0 }\n',
    /keeps the endpoints it has: .*:1: \[0\].weight must be at/,
  ],
  ['empty', '[]\n', /keeps the endpoints it has: .*app.endpoints.yaml:1: must have at least 1 entry/],
])(
  'a file that is %s changes nothing and is told with its line; a reload does not lose the endpoints either',
  async (_, text, warning) => {
    const [one, two] = [await Upstream.start('one'), await Upstream.start('two')]
    const { proxy, write } = await discovering(`- ${one.address}\n`)
    write(text)
    await proxy.says(warning)
    expect(await answers(proxy.url, 2)).toEqual({ one: 2 })
    const from = proxy.output.length
    await proxy.reload({ ...proxy.config, node: { id: 'other' } })
    await proxy.says(warning, from)
    expect(await answers(proxy.url, 2)).toEqual({ one: 2 })
    write(`- ${two.address}\n`)
    await proxy.says(/endpoints changed cluster=app added=1 changed=0 removed=1/)
    expect(await answers(proxy.url, 2)).toEqual({ two: 2 })
    expect(await proxy.stop()).toBe(0)
  },
)

it('a file that is not there yet is waited for', async () => {
  const one = await Upstream.start('one')
  const { proxy, write } = await discovering(null)
  expect(proxy.output).toMatch(/keeps the endpoints it has: cannot read .*app.endpoints.yaml: there is no such file/)
  const { statusCode, body } = await request(proxy.url)
  await body.dump()
  expect(statusCode).toBe(503)
  write(`- ${one.address}\n`)
  await proxy.says(/endpoints changed cluster=app added=1/)
  expect(await answers(proxy.url, 2)).toEqual({ one: 2 })
  expect(await proxy.stop()).toBe(0)
})

it('endpoints that stay keep their statistics and connections through a reload', async () => {
  const [one, two] = [await Upstream.start('one'), await Upstream.start('two')]
  const sockets = new Set<unknown>()
  one.server.on('connection', (socket) => sockets.add(socket))
  const { proxy } = await discovering(`- ${one.address}\n`)
  expect(await answers(proxy.url, 5)).toEqual({ one: 5 })
  const file = join(dirname(proxy.file), discovery.path)
  writeFileSync(file, `- ${one.address}\n- ${two.address}\n`)
  expect(await proxy.reload({ ...proxy.config, node: { id: 'other' } })).toContain('generation=2')
  expect(await answers(proxy.url, 6)).toEqual({ one: 3, two: 3 })
  const { clusters } = await proxy.stats()
  expect(clusters[0]?.endpoints.find(({ address }) => address === one.address)?.requests).toBe(8)
  expect(sockets.size).toBe(1)
  expect(await proxy.stop()).toBe(0)
})
