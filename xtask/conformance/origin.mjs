// The origin of http-cache-tests, on loopback alone: by itself it listens on every address.
// Takes PORT from the environment.
import net from 'node:net'

const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (port) {
  return listen.call(this, Number(port), '127.0.0.1')
}
process.env.npm_config_protocol = 'http'
process.env.npm_config_port = process.env.PORT
process.env.npm_config_pidfile = '/dev/null'
await import('./node_modules/http-cache-tests/server/server.mjs')
