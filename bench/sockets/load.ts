/**
 * Clients of the socket scenarios: `load.js PORT CONNECTIONS SECONDS echo|idle`. Each opens a WebSocket at /live/bench;
 * `echo` then sends a message whenever the last one came back, `idle` only holds. Prints `holding` when all are open, and
 * one line of JSON at the end.
 */
import { connect, type Socket } from 'node:net'
import { setTimeout as after } from 'node:timers/promises'
import { fromClient, fromServer } from './frames.js'

const [port = 0, connections = 0, seconds = 0] = process.argv.slice(2, 5).map(Number)
const echoes = process.argv[5] === 'echo'
let messages = 0
let running = true

const sockets: Socket[] = []
// A few at a time, so that no accept queue overflows.
while (sockets.length < connections) {
  const wanted = Math.min(100, connections - sockets.length)
  sockets.push(...(await Promise.all(Array.from({ length: wanted }, open))))
}
console.log('holding')
if (echoes) sockets.forEach(echo)
await after(seconds * 1000)
running = false
const stillOpen = sockets.filter((socket) => !socket.destroyed && socket.readable).length
console.log(JSON.stringify({ messages, open: stillOpen }))
for (const socket of sockets) socket.destroy()

function open(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    const lines = ['GET /live/bench HTTP/1.1', 'Host: bench', 'Connection: Upgrade', 'Upgrade: websocket']
    const ask = [...lines, 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', '', '']
    socket.once('data', (head) => {
      const text = String(head)
      if (text.startsWith('HTTP/1.1 101') && text.endsWith('\r\n\r\n')) resolve(socket)
      else reject(new Error(`no upgrade: ${text.slice(0, 80)}`))
    })
    socket.once('error', reject)
    socket.write(ask.join('\r\n'))
  })
}

function echo(socket: Socket): void {
  let received = 0
  socket.on('data', ({ length }) => {
    received += length
    if (received < fromServer.length) return
    received = 0
    messages += 1
    if (running) socket.write(fromClient)
  })
  socket.on('error', () => socket.destroy())
  socket.write(fromClient)
}
