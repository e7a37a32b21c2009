// A worker thread that holds engine handles and an open uWebSockets.js app, and then misbehaves as it is told.
import { createRequire } from 'node:module'
import { parentPort } from 'node:worker_threads'

const require = createRequire(import.meta.url)
const addon = require('../../../dist/weft.node')
const uws = require('uWebSockets.js')

const faults = {
  idle() {},
  spin() {
    for (;;);
  },
  throw() {
    throw new Error('asked for')
  },
  'out-of-memory'() {
    const held = []
    for (;;) held.push(new Array(1000).fill(held.length))
  },
  exit() {
    process.exit()
  },
}

parentPort.on('message', ({ proxy, worker, fault }) => {
  if (fault) return faults[fault]()
  addon.attach(proxy, worker)
  const app = uws.App()
  app.any('/*', (response) => {
    response.onAborted(() => {})
    response.end('door')
  })
  app.listen('127.0.0.1', 0, (socket) => parentPort.postMessage({ doorPort: uws.us_socket_local_port(socket) }))
})
