// An origin for the other suites: echoes WebSocket messages, answers any other request in short.
// Takes PORT from the environment.
import http from 'node:http'
import { WebSocketServer } from 'ws'

// Some cases send a frame to a stream that must still be open: an answer that is there before the
// whole request, or at once, would race them.
const DELAY_MS = 100

const server = http.createServer((request, response) => {
  request.resume()
  request.on('end', () => {
    response.setHeader('Content-Type', 'text/plain')
    setTimeout(() => response.end('this is the origin of the conformance runs\n'), DELAY_MS)
  })
})
const sockets = new WebSocketServer({
  server,
  perMessageDeflate: true,
  // Some cases send a message in very many pieces; the limits of ws are not what is tried here.
  maxPayload: 64 * 1024 * 1024,
  maxFragments: 0,
  maxBufferedChunks: 0
})
sockets.on('connection', socket => {
  socket.on('message', (message, binary) => socket.send(message, { binary }))
  // A broken peer is what the cases are about; ws has closed the connection by then.
  socket.on('error', () => {})
})
server.listen(Number(process.env.PORT), '127.0.0.1')
