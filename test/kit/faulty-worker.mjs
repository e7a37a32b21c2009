// A traffic thread that can be told to go wrong: attaches like the real one, then spins, throws or exhausts its heap.
import { createRequire } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'

const addon = createRequire(import.meta.url)(workerData.addon)
parentPort.on('message', (message) => {
  switch (message.fault) {
    case 'spin':
      for (;;);
    case 'throw':
      throw new Error('a fault in a filter')
    case 'exhaust': {
      const hoard = []
      for (;;) hoard.push(new Array(1000).fill(hoard.length))
    }
    default:
      addon.attach(message.proxy, message.worker)
      parentPort.postMessage('serving')
  }
})
