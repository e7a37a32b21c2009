/** The command in one file in the root of its container, which holds nothing else and which nobody can write to. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { endOneFiles, oneFile, portOf, runOneFile, startOneFile } from '../../kit/one-file.js'
import { removeScratch, scratchFolder } from '../../kit/scratch.js'
import { startUpstream, type Upstream } from '../../kit/upstream.js'

const isolated = ['unshare', ...(process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']), '--mount']
const permitted = spawnSync('unshare', [...isolated.slice(1), 'true']).status === 0
if (!permitted) process.stderr.write('read-only root: left out, this machine permits no mount namespaces\n')

let root: string
let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream()
  root = scratchFolder()
  execFileSync('scripts/container-root', [oneFile, root], { stdio: 'pipe' })
  const example = readFileSync('test/examples/minimal.yaml', 'utf8')
  const text = example.replace('127.0.0.1:8080', '127.0.0.1:0').replace('127.0.0.1:9000', upstream.address)
  writeFileSync(join(root, 'etc/weft/weft.yaml'), text)
})
afterEach(endOneFiles)
afterAll(() => {
  upstream.close()
  removeScratch()
})

/** `mount` runs after the root has become read-only. */
function within(mount = 'true'): string[] {
  const enter = `mount --bind ${root} ${root} && mount -o remount,bind,ro ${root} && ${mount} && exec chroot ${root} "$@"`
  return [...isolated, 'sh', '-c', enter, 'sh', '/usr/bin/weft']
}

const run = ['run', '-c', '/etc/weft/weft.yaml']

describe.runIf(permitted)('in a read-only root', () => {
  it('serves without a writable folder, from the files that lie beside it', async () => {
    const weft = startOneFile(run, { PATH: process.env.PATH ?? '' }, within())
    expect((await fetch(`http://127.0.0.1:${await portOf(weft)}/`)).status).toBe(200)
  })

  describe('where its files were not laid beside it', () => {
    beforeAll(() => rmSync(join(root, 'usr/lib/weft'), { recursive: true }))

    it('serves when /tmp can be written to', async () => {
      const weft = startOneFile(run, { PATH: process.env.PATH ?? '' }, within(`mount -t tmpfs tmpfs ${root}/tmp`))
      expect((await fetch(`http://127.0.0.1:${await portOf(weft)}/`)).status).toBe(200)
      expect(readdirSync(join(root, 'tmp'))).toEqual([])
    })

    it('says what to set when no folder can be written to', async () => {
      const { code, stderr } = await runOneFile(run, { PATH: process.env.PATH ?? '' }, within())
      expect(code).toBe(1)
      expect(stderr).toContain('/tmp/weft-0: EROFS')
      expect(stderr).toContain('set WEFT_FILES to a folder')
    })

    it('refuses a folder from which no program may be loaded', async () => {
      mkdirSync(join(root, 'proc'))
      const mount = `mount -t tmpfs -o noexec tmpfs ${root}/tmp && mount -t proc proc ${root}/proc`
      const { stderr } = await runOneFile(run, { PATH: process.env.PATH ?? '' }, within(mount))
      expect(stderr).toContain('/tmp/weft-0: programs may not be loaded from there')
    })
  })
})
