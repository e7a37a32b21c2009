import { describe, expect, it } from 'vitest'
import { forbidsExecution, installedFolder, writableFolders } from '../../../src/binary/folders.js'

const mounts = `22 1 0:20 / / rw,relatime - ext4 /dev/a rw
23 22 0:21 / /tmp rw,nosuid,nodev,noexec - tmpfs tmpfs rw
24 23 0:22 / /tmp/with\\040space rw - tmpfs tmpfs rw
25 22 0:23 / /srv rw,noexec - ext4 /dev/b rw
26 25 0:24 / /srv rw - ext4 /dev/c rw
`

describe('where programs may be loaded from', () => {
  it.each([
    ['/home/a', false],
    ['/tmp/weft-0', true],
    ['/tmp', true],
    ['/tmpfoo', false],
    ['/tmp/with space/weft', false],
    ['/srv/weft', false],
  ])('%s is on a mount that forbids it: %s', (folder, forbidden) => {
    expect(forbidsExecution(folder, mounts)).toBe(forbidden)
  })

  it('is anywhere as far as a system without /proc tells', () => {
    expect(forbidsExecution('/tmp', '')).toBe(false)
  })
})

describe('the folders for the files of the one-file command', () => {
  it('are the named one alone', () => {
    expect(writableFolders({ WEFT_FILES: '/x', HOME: '/home/a' })).toEqual(['/x'])
  })

  it('are caches before temporary folders', () => {
    const folders = writableFolders({ CACHE_DIRECTORY: '/var/cache/weft:/other', HOME: '/home/a' })
    expect(folders.slice(0, 2)).toEqual(['/var/cache/weft', '/home/a/.cache/weft'])
    expect(folders.at(-1)).toMatch(/^\/dev\/shm\/weft-\d+$/)
  })

  it('are beside the command where a package put them', () => {
    expect(installedFolder('/usr/bin/weft')).toBe('/usr/lib/weft')
  })
})
