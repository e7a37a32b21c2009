/** The append log on a file that fails: what was refused is not there, what was acknowledged is. */
import { describe, expect, it } from 'vitest'
import { type AppendFile, LogFile } from '../../../../src/control/store/log-file.js'

/** A disk of limited room, whose flush can fail. */
class SmallDisk implements AppendFile {
  bytes = Buffer.alloc(0)
  room = 100
  flushFails = false
  truncateFails = false

  async write(buffer: Buffer, offset: number, length: number, position: number) {
    // At most 16 at a time, as a file system may.
    const fits = Math.min(length, this.room - position, 16)
    if (fits <= 0) throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
    this.bytes = Buffer.concat([this.bytes.subarray(0, position), buffer.subarray(offset, offset + fits)])
    return { bytesWritten: fits }
  }
  async datasync() {
    if (this.flushFails) throw Object.assign(new Error('input/output error'), { code: 'EIO' })
  }
  async truncate(length: number) {
    if (this.truncateFails) throw Object.assign(new Error('input/output error'), { code: 'EIO' })
    this.bytes = this.bytes.subarray(0, length)
  }
  async stat() {
    return { size: this.bytes.length }
  }
  async close() {}
}

const record = (letter: string, length: number) => [Buffer.from(letter.repeat(length))]

describe('the append log', () => {
  it('writes everything although the file takes a part at a time', async () => {
    const disk = new SmallDisk()
    const log = new LogFile('log', disk, 0)
    await log.append(record('a', 40))
    await log.append([...record('b', 5), ...record('c', 5)])
    expect([disk.bytes.toString(), log.bytes]).toEqual([`${'a'.repeat(40)}bbbbbccccc`, 50])
  })

  it('refuses on a full disk, leaves nothing of it, and works again when there is room', async () => {
    const disk = new SmallDisk()
    const log = new LogFile('log', disk, 0)
    await log.append(record('a', 40))
    await expect(log.append(record('b', 80))).rejects.toMatchObject({
      code: 'WEFT_STORE_UNWRITABLE',
      message: 'the disk of log is full',
    })
    expect(disk.bytes.toString()).toBe('a'.repeat(40))
    disk.room = 1_000
    await log.append(record('c', 80))
    expect(disk.bytes.toString()).toBe(`${'a'.repeat(40)}${'c'.repeat(80)}`)
  })

  it('cuts off before the next append what it could not cut off at once', async () => {
    const disk = new SmallDisk()
    const log = new LogFile('log', disk, 0)
    disk.truncateFails = true
    await expect(log.append(record('b', 120))).rejects.toMatchObject({ code: 'WEFT_STORE_UNWRITABLE' })
    await expect(log.append(record('c', 10))).rejects.toMatchObject({ code: 'WEFT_STORE_UNWRITABLE' })
    disk.truncateFails = false
    await log.append(record('d', 10))
    expect(disk.bytes.toString()).toBe('d'.repeat(10))
  })

  it('refuses for good after a flush that failed', async () => {
    const disk = new SmallDisk()
    const log = new LogFile('log', disk, 0)
    disk.flushFails = true
    await expect(log.append(record('a', 10))).rejects.toThrow('could not be flushed')
    disk.flushFails = false
    await expect(log.append(record('b', 10))).rejects.toThrow('could not be flushed')
  })
})
