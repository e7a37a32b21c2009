// What Weft runs in the socket scenarios: each message goes back.
import { defineSocket } from '../../dist/index.js'

export default defineSocket({
  name: 'echo',
  message(socket, data) {
    socket.send(data)
  },
})
