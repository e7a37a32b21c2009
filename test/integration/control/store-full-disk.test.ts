/** The embedded store on a real file system that has no room left; the test needs the right to mount one. */
import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { openEmbeddedStore } from '../../../src/control/store/embedded.js'
import type { Store } from '../../../src/control/store/store.js'
import { removeScratch, scratchFolder } from '../../kit/scratch.js'
import { put, route, write } from '../../kit/store-writes.js'

const undo: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
  removeScratch()
})

function smallDisk(size: string): string {
  const folder = scratchFolder()
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'weft-test', folder])
  undo.push(() => void execFileSync('umount', [folder]))
  return folder
}

async function open(folder: string): Promise<Store> {
  const store = await openEmbeddedStore({ folder, nowMs: Date.now })
  undo.push(() => store.close())
  return store
}

describe.skipIf(process.getuid?.() !== 0)('the embedded store on a full disk', () => {
  it('refuses changes and says why, keeps all it had, and works again when there is room', async () => {
    const disk = smallDisk('64k')
    const folder = join(disk, 'data')
    const store = await open(folder)
    await write(store, 'alice', put('a', { n: 1 }))
    writeFileSync(join(disk, 'ballast'), Buffer.alloc(32 * 1024))
    const pad = 'x'.repeat(4_000)
    let last = 1
    const full = await (async () => {
      for (;;) last = (await write(store, 'alice', put(`r${last}`, { pad }))).revision
    })().catch((error: unknown) => error)
    expect(full).toMatchObject({
      code: 'WEFT_STORE_UNWRITABLE',
      message: expect.stringMatching(/^the disk of .* is full$/),
      hint: 'nothing was changed; make room, then try again',
    })
    expect(store.status()).toMatchObject({ writable: false, reason: expect.stringContaining('is full') })
    expect([store.revision(), store.get(route('a'))?.value]).toEqual([last, { n: 1 }])
    await expect(write(store, 'alice', put('again', { pad }))).rejects.toMatchObject({ code: 'WEFT_STORE_UNWRITABLE' })
    rmSync(join(disk, 'ballast'))
    expect((await write(store, 'alice', put('again', { pad }))).revision).toBe(last + 1)
    expect(store.status().writable).toBe(true)
    const entries = store.list()
    await store.close()
    const after = await open(folder)
    expect([after.revision(), after.list(), after.status().findings]).toEqual([last + 1, entries, []])
  })
})
