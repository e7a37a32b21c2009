/**
 * Filters that a configuration file names by their modules: in two worker threads of the built command, reloaded when
 * module or options change, refused where they cannot run.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ask, CountedService, closeServices } from '../../kit/counted-service.js'
import { realAddon } from '../../kit/faulty-threads.js'
import { freePort } from '../../kit/free-port.js'
import { WeftProcess, writeConfig } from '../../kit/weft-process.js'

const library = pathToFileURL(join(import.meta.dirname, '../../../dist/index.js')).href
let service: CountedService
let folder: string
const running: WeftProcess[] = []

beforeAll(async () => {
  service = await CountedService.start('app')
})
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weft-filters-'))
})
afterEach(async () => {
  for (const run of running.splice(0)) {
    run.signal('SIGKILL')
    await run.ended
  }
  rmSync(folder, { recursive: true })
})
afterAll(closeServices)

/** A module that puts a word into a header of the request. */
function writeTag(word: string, more = ''): void {
  write(
    'tag.js',
    `options: {
       '~standard': {
         version: 1,
         vendor: 'test',
         validate: (value) =>
           typeof value?.header === 'string'
             ? { value: { header: value.header.toLowerCase() } }
             : { issues: [{ message: 'must name a header', path: ['header'] }] },
       },
     },
     onRequest({ headers }, { options }) { headers.set(options.header, '${word}') },
     onResponse({ headers }) { headers.set('x-word', '${word}') },
     ${more}`,
  )
}

function write(name: string, body: string): void {
  const text = `import { defineFilter } from '${library}'\nexport default defineFilter({ name: 'tag', ${body} })\n`
  writeFileSync(join(folder, name), text)
}

const tag = { module: './tag.js', options: { header: 'X-Tag' } }

function config(port: number, filters: object[], more: object = {}): object {
  return {
    workers: 2,
    listeners: [{ name: 'edge', address: `127.0.0.1:${port}`, limits: { maxConnections: 100 }, filters }],
    routes: [{ name: 'all', forward: [{ cluster: 'app' }] }],
    clusters: [{ name: 'app', endpoints: [`127.0.0.1:${service.port}`] }],
    ...more,
  }
}

async function serve(filters: object[], more: object = {}) {
  const port = await freePort()
  const file = writeConfig(config(port, filters, more), folder)
  const weft = new WeftProcess(['run', '-c', file], { WEFT_ADDON: realAddon })
  running.push(weft)
  await weft.says(' ready in ')
  return { port, weft }
}

async function validate(filters: object[]) {
  const file = writeConfig(config(await freePort(), filters), folder)
  const run = new WeftProcess(['validate', '-c', file], { WEFT_ADDON: realAddon })
  return { code: await run.ended, text: run.stdout + run.stderr }
}

describe('a module', () => {
  it('runs in every worker, with its options as its schema returns them', async () => {
    writeTag('one')
    const { port } = await serve([tag])
    const answers = await Promise.all(
      Array.from({ length: 16 }, () => ask(port, 'a.example', '/', { headers: { connection: 'close' } })),
    )
    for (const { status, headers } of answers) expect([status, headers['x-word']]).toEqual([200, 'one'])
    expect(service.last?.headers['x-tag']).toBe('one')
  })

  it('that changes is loaded anew, under load, without a request that meets neither', async () => {
    writeTag('one')
    const { port, weft } = await serve([tag])
    const seen = new Set<string>()
    let going = true
    const load = Promise.all(
      Array.from({ length: 8 }, async () => {
        while (going) {
          const { status, headers } = await ask(port, 'a.example')
          seen.add(`${status} ${headers['x-word']}`)
        }
      }),
    )
    writeTag('two')
    await weft.says('reloaded')
    for (let count = 0; count < 50; count += 1) {
      expect((await ask(port, 'a.example')).headers['x-word']).toBe('two')
    }
    going = false
    await load
    expect([...seen].sort()).toEqual(['200 one', '200 two'])
  })

  it('that cannot be loaded changes nothing, and is loaded once it is mended', async () => {
    writeTag('one')
    const { port, weft } = await serve([tag])
    writeFileSync(join(folder, 'tag.js'), 'export default 7')
    await weft.says('not reloaded, everything stays as it was')
    await weft.says('its default export is no filter')
    expect((await ask(port, 'a.example')).headers['x-word']).toBe('one')
    writeTag('three')
    await weft.says('\nreloaded')
    expect((await ask(port, 'a.example')).headers['x-word']).toBe('three')
  })

  it('is loaded by a worker that takes the place of another', async () => {
    writeTag('one', 'state: () => { if (globalThis.gone) process.exit(3) },')
    write('end.js', `onRequest({ path }) { if (path === '/end') for (;;); }`)
    const { port, weft } = await serve([tag, { module: './end.js' }], { workers: 1 })
    await ask(port, 'a.example', '/end').catch(() => {})
    await weft.says('a worker ended and is replaced')
    const { status, headers } = await ask(port, 'a.example')
    expect([status, headers['x-word']]).toEqual([200, 'one'])
  })

  it('keeps going open when it fails and is told to', async () => {
    write('tag.js', `onRequest() { throw new Error('broken') }`)
    const { port, weft } = await serve([{ module: './tag.js', onFailure: 'open' }])
    expect((await ask(port, 'a.example')).body).toBe('app')
    await weft.says('it failed: Error: broken')
  })

  it('stands on routes and clusters too, as a file URL too', async () => {
    writeTag('cluster')
    const url = pathToFileURL(join(folder, 'tag.js')).href
    const clusters = [{ name: 'app', endpoints: [`127.0.0.1:${service.port}`], filters: [{ ...tag, module: url }] }]
    const { port } = await serve([], { clusters })
    expect((await ask(port, 'a.example')).headers['x-word']).toBe('cluster')
  })
})

describe('validate', () => {
  it('accepts a module that loads', async () => {
    writeTag('one')
    expect(await validate([tag])).toMatchObject({ code: 0 })
  })

  it.each([
    ['a module that is not there', { module: './none.js' }, 'listeners[0].filters[0].module', 'there is no such file'],
    [
      'options that its schema refuses',
      { ...tag, options: { headr: 'x' } },
      'listeners[0].filters[0].options',
      'must name a header',
    ],
    ['a module that throws', { module: './throws.js' }, 'listeners[0].filters[0].module', 'cannot be loaded: at once'],
    ['a module that is no filter', { module: './empty.js' }, 'listeners[0].filters[0].module', 'is no filter'],
  ])('names the path of %s', async (_, filter, path, reason) => {
    writeTag('one')
    writeFileSync(join(folder, 'throws.js'), `throw new Error('at once')`)
    writeFileSync(join(folder, 'empty.js'), '')
    const { code, text } = await validate([filter])
    expect(code).toBe(2)
    expect(text).toContain(path)
    expect(text).toContain(reason)
  })

  it('compile refuses a filter that no agent can run', async () => {
    writeTag('one')
    const file = writeConfig(config(await freePort(), [tag]), folder)
    const run = new WeftProcess(['compile', '-c', file, '-o', join(folder, 'out')], { WEFT_ADDON: realAddon })
    expect(await run.ended).not.toBe(0)
    expect(run.stderr + run.stdout).toContain('listeners[0].filters[0] is a filter in TypeScript')
  })
})
