/**
 * Data centres as network namespaces of their own, each joined to this one by a pair of virtual links, so that one can be
 * cut off as a broken line would: no refusal comes back, packets are just gone. Needs root.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'

/** Each service answers the name of its data centre and its place. */
const service = `
const [, name, host, count] = process.argv
let open = Number(count)
for (let at = 0; at < Number(count); at++)
  require('node:http')
    .createServer((_, answer) => answer.setHeader('x-upstream', name + at).end(name))
    .listen(8080 + at, host, () => { if (--open === 0) console.log('listening') })
`

export class DataCentre {
  readonly address: string
  private readonly name: string
  private readonly link: string
  private child: ReturnType<typeof spawn> | null = null

  private constructor(name: string, number: number) {
    this.name = `weft-${process.pid}-${name}`
    this.link = `wf${process.pid % 100_000}${name.slice(0, 1)}`
    this.address = `10.213.${number}.2`
  }

  /** Whether this machine lets a test make namespaces. */
  static canBeMade(): boolean {
    const name = `weft-probe-${process.pid}`
    if (spawnSync('ip', ['netns', 'add', name]).status !== 0) return false
    return spawnSync('ip', ['netns', 'delete', name]).status === 0
  }

  /** With so many services, from port 8080 on. `number` is one of its own among all that run at once. */
  static async open(name: string, number: number, services: number): Promise<DataCentre> {
    const centre = new DataCentre(name, number)
    const inside = `${centre.link}i`
    ip('netns', 'add', centre.name)
    ip('link', 'add', centre.link, 'type', 'veth', 'peer', 'name', inside, 'netns', centre.name)
    ip('address', 'add', `10.213.${number}.1/24`, 'dev', centre.link)
    ip('link', 'set', centre.link, 'up')
    ip('-n', centre.name, 'address', 'add', `${centre.address}/24`, 'dev', inside)
    ip('-n', centre.name, 'link', 'set', inside, 'up')
    const words = [
      'netns',
      'exec',
      centre.name,
      process.execPath,
      '-e',
      service,
      name,
      centre.address,
      String(services),
    ]
    centre.child = spawn('ip', words, { stdio: ['ignore', 'pipe', 'inherit'] })
    if (centre.child.stdout !== null) await once(centre.child.stdout, 'data', { signal: AbortSignal.timeout(20_000) })
    return centre
  }

  /** At its own end: with this one down packets would take another way, and somebody else might answer. */
  cut(): void {
    ip('-n', this.name, 'link', 'set', `${this.link}i`, 'down')
  }

  mend(): void {
    ip('-n', this.name, 'link', 'set', `${this.link}i`, 'up')
  }

  async close(): Promise<void> {
    if (this.child !== null) {
      this.child.kill('SIGKILL')
      await once(this.child, 'exit')
    }
    spawnSync('ip', ['link', 'delete', this.link])
    spawnSync('ip', ['netns', 'delete', this.name])
  }
}

function ip(...words: string[]): void {
  const { status, stderr } = spawnSync('ip', words, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`ip ${words.join(' ')}: ${stderr}`)
}
