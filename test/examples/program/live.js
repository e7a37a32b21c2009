// A room for each path: what one client says, all others in the room hear, whichever worker they are connected to.
import { defineSocket } from 'weftmesh'

export default defineSocket({
  name: 'live',
  open(socket) {
    socket.subscribe(socket.request.path)
  },
  message(socket, data) {
    socket.publish(socket.request.path, data)
  },
})
