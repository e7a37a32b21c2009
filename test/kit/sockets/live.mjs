// Sockets that do what their messages ask: the module of the tests' listeners.
import { defineSocket } from '../../../dist/index.js'

const commands = {
  subscribe: (socket, topic) => void socket.subscribe(topic),
  unsubscribe: (socket, topic) => void socket.unsubscribe(topic),
  publish: (socket, rest) => {
    const [topic, ...text] = rest.split(' ')
    socket.publish(topic, text.join(' '))
  },
  close: (socket, code) => socket.close(Number(code), 'as asked'),
  throw: () => {
    throw new Error('thrown on demand')
  },
  reject: async () => {
    throw new Error('rejected on demand')
  },
  head: (socket) => {
    const { path, query, client, headers } = socket.request
    socket.send(JSON.stringify({ path, query, client, tenant: headers.get('X-Tenant'), state: socket.state }))
  },
  flood: (socket, count) => {
    for (let n = 0; n < Number(count); n++) socket.send(Buffer.alloc(65_536))
    socket.send(JSON.stringify({ bufferedBytes: socket.bufferedBytes }))
  },
}

export default defineSocket({
  name: 'live',
  protocols: ['chat.v2', 'chat.v1'],
  options: {
    '~standard': {
      validate: (value) =>
        value?.greeting === 7 ? { issues: [{ message: 'must be text', path: ['greeting'] }] } : { value: value ?? {} },
    },
  },
  state: () => ({ messages: 0 }),
  async upgrade(request, context) {
    if (request.query === 'refused') return { status: 403, headers: { 'x-why': 'asked for it' }, body: 'not you\n' }
    if (request.query === 'broken') throw new Error('upgrade thrown on demand')
    context.log(`upgrade of ${request.path}`)
  },
  open(socket, context) {
    if (context.options.greeting) socket.send(context.options.greeting)
  },
  message(socket, data, isBinary) {
    socket.state.messages += 1
    const [name, ...rest] = isBinary ? [] : data.split(' ')
    if (name !== undefined && Object.hasOwn(commands, name)) return commands[name](socket, rest.join(' '))
    socket.send(data)
  },
  close(socket, code, reason, context) {
    context.log('closed', { code, reason, messages: socket.state.messages })
  },
})
