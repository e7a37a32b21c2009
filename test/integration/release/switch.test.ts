/** Blue-green by the command: an instant switch of a route and back, under load. */
import { readFileSync, writeFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { ask, tally } from '../../kit/counted-service.js'
import { WeftProcess } from '../../kit/weft-process.js'
import { start, stopAll } from './started.js'

afterEach(stopAll)

const routes = [
  { name: 'reviews', hosts: ['reviews'], forward: [{ cluster: 'blue' }] },
  { name: 'fixed', hosts: ['fixed'], respond: { body: 'x' } },
]

async function command(...args: string[]) {
  const run = new WeftProcess(args)
  return { code: await run.ended, stdout: run.stdout, stderr: run.stderr }
}

describe('a switch of a route', () => {
  it('moves all requests at once, none of them fails, and goes back as fast', async () => {
    const { port, adminAddress, admin } = await start(['blue', 'green'], routes)
    let over = false
    const seen: string[] = []
    const load = Array.from({ length: 4 }, async () => {
      while (!over) {
        const { status, body } = await ask(port, 'reviews')
        seen.push(status === 200 ? body : `${status}`)
      }
    })
    const post = async (query: string) => {
      const began = performance.now()
      const answer = JSON.parse(await admin(`/route/switch?route=reviews&${query}`, 'POST'))
      return { ...answer, ms: performance.now() - began }
    }
    const there = await post('to=green')
    expect(there.error).toBeUndefined()
    expect(there.ms).toBeLessThan(1_000)
    const after = await tally(50, () => ask(port, 'reviews'))
    expect(after).toEqual({ green: 50 })
    const back = await post('back=1')
    expect(back.ms).toBeLessThan(1_000)
    expect(await tally(50, () => ask(port, 'reviews'))).toEqual({ blue: 50 })
    over = true
    await Promise.all(load)
    expect(new Set(seen)).toEqual(new Set(['blue', 'green']))
    const again = await command('route', 'switch', 'reviews', '--back', '--admin', adminAddress)
    expect(again.code).toBe(1)
    expect(again.stderr).toContain('there is no way back')
  })

  it('of a part shares the requests, shows in explain and config_dump, and is undone by a reload', async () => {
    const { port, file, adminAddress, admin, process } = await start(['blue', 'green'], routes)
    const switched = await command(
      'route',
      'switch',
      'reviews',
      '--to',
      'green',
      '--weight',
      '20',
      '--admin',
      adminAddress,
    )
    expect(switched).toMatchObject({ code: 0 })
    expect(switched.stdout).toContain('20 % to green, until the next reload')
    const { green = 0, blue = 0 } = await tally(300, () => ask(port, 'reviews'))
    expect(green + blue).toBe(300)
    expect(green).toBeGreaterThan(30)
    expect(green).toBeLessThan(95)
    const { stdout } = await command('explain', '--admin', adminAddress, 'GET', 'http://reviews/')
    expect(stdout).toContain('switched: 20 % to green by `weft route switch`, until the next reload')
    expect(stdout).toMatch(/20 % +cluster green/)
    expect(JSON.parse(await admin('/config_dump')).switchedUntilTheNextReload).toEqual([
      { route: 'reviews', cluster: 'green', percent: 20 },
    ])
    writeFileSync(file, `${readFileSync(file, 'utf8')}\n`)
    await process.says('the switch of a route is undone')
    expect(await tally(30, () => ask(port, 'reviews'))).toEqual({ blue: 30 })
    expect(JSON.parse(await admin('/config_dump'))).not.toHaveProperty('switchedUntilTheNextReload')
  })

  it('to what is not there changes nothing and says so', async () => {
    const { port, adminAddress } = await start(['blue', 'green'], routes)
    for (const [route, to, why] of [
      ['reviews', 'red', 'no such cluster'],
      ['none', 'green', 'does not exist'],
      ['fixed', 'green', 'does not forward'],
    ] as const) {
      const { code, stderr } = await command('route', 'switch', route, '--to', to, '--admin', adminAddress)
      expect({ code, told: stderr.includes(why) }).toEqual({ code: 1, told: true })
    }
    expect(await tally(5, () => ask(port, 'reviews'))).toEqual({ blue: 5 })
  })
})
