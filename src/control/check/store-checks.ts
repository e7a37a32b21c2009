/** Whether what is written can be written, and is still there tomorrow. */
import { type Check, fail, warn } from './check.js'

const mib = 1024 * 1024
/** The store stops taking changes when a snapshot no longer fits. */
const leastFreeBytes = 256 * mib
const leastFreeShare = 0.05

export const storeChecks: readonly Check[] = [
  {
    id: 'store-takes-changes',
    group: 'store',
    about: 'the store takes changes',
    look({ store: { writable, reason } }) {
      if (writable) return null
      return fail(
        `changes are refused: ${reason}`,
        'reads go on; mend what the reason names, the store tries again by itself',
      )
    },
  },
  {
    id: 'store-is-whole',
    group: 'store',
    about: 'the store was read without a loss',
    look({ store: { findings } }) {
      const [first] = findings
      if (first === undefined) return null
      return warn(
        first,
        'compare with a backup or with your files (weft diff -f FILE); a restart after that forgets this finding',
      )
    },
  },
  {
    id: 'store-has-a-leader',
    group: 'store',
    about: 'one replica leads',
    look({ store: { type, leader } }) {
      if (type !== 'etcd' || leader !== null) return null
      return fail(
        'no replica leads, so nobody writes and nobody evicts',
        'look at etcd: its members, its clocks, its disk',
      )
    },
  },
  {
    id: 'disk-has-room',
    group: 'store',
    about: 'the disk of the data folder has room',
    look({ disk }) {
      if (disk === null) return null
      const { freeBytes, totalBytes } = disk
      if (freeBytes >= leastFreeBytes && freeBytes >= totalBytes * leastFreeShare) return null
      const free = `${Math.floor(freeBytes / mib)} MiB of ${Math.floor(totalBytes / mib)} MiB are free`
      return freeBytes < leastFreeBytes / 8
        ? fail(`${free}: changes will be refused`, 'make room, or move the data folder')
        : warn(free, 'make room, or move the data folder, before changes are refused')
    },
  },
  {
    id: 'audit-log-is-written',
    group: 'store',
    about: 'the audit log is written',
    look({ auditFault }) {
      if (auditFault === null) return null
      return fail(
        `who changes what is not on record: ${auditFault}`,
        'look at the permissions and the room of the data folder',
      )
    },
  },
]
