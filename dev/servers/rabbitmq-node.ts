import { chmodSync, cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'

export interface RabbitMqPorts {
  readonly server: number
  readonly distribution: number
  readonly epmd: number
}

/** A second listener that speaks TLS, and takes a certificate of its CA in place of a password. */
export interface RabbitMqTls {
  readonly port: number
  /** Holds `ca.pem`, `server.pem` and `server.key`. */
  readonly folder: string
}

/** A node of several; they share an epmd, which runs by itself. */
export interface RabbitMqMember {
  /** Names of all nodes, without the host. */
  readonly names: readonly string[]
  readonly name: string
  readonly cookie: string
}

/** Enters the tree with the node's folder at /node, in a mount namespace that ends with the server: no mount is left. */
const ENTER = `set -e
mount --rbind /proc "$1/proc"
mount --rbind /dev "$1/dev"
mount --bind "$2" "$1/node"
exec chroot "$1" /bin/sh -c ". /node/environment; $3"`

/** Left to itself the server starts an epmd that detaches and outlives it; this one belongs to its process group. */
export const SERVER = '/usr/bin/epmd & exec /usr/lib/rabbitmq/bin/rabbitmq-server'
/** A node of a cluster leaves epmd to the others when it ends. */
export const MEMBER = 'exec /usr/lib/rabbitmq/bin/rabbitmq-server'
export const EPMD = 'exec /usr/bin/epmd'

/** What the server finds in /node: its settings, its cookie, and room for its data. */
export function writeNode(
  folder: string,
  { server, distribution, epmd }: RabbitMqPorts,
  { tls, member }: { readonly tls?: RabbitMqTls | undefined; readonly member?: RabbitMqMember | undefined } = {},
): void {
  for (const part of ['data', 'log', 'home']) mkdirSync(join(folder, part))
  const cookie = join(folder, 'home/.erlang.cookie')
  writeFileSync(cookie, member?.cookie ?? randomBytes(20).toString('hex'))
  chmodSync(cookie, 0o400)
  writeFileSync(join(folder, 'plugins'), tls === undefined ? '[].\n' : '[rabbitmq_auth_mechanism_ssl].\n')
  const logging = 'log.console = true\nlog.console.level = info\nlog.file = false\n'
  const settings = [logging, tls && tlsSettings(tls), member && clusterSettings(member)]
  writeFileSync(join(folder, 'rabbitmq.conf'), settings.filter(Boolean).join(''))
  if (tls !== undefined) cpSync(tls.folder, join(folder, 'tls'), { recursive: true })
  writeFileSync(join(folder, 'advanced.config'), '[].\n')
  const environment = {
    PATH: '/usr/sbin:/usr/bin',
    HOME: '/node/home',
    LANG: 'C.UTF-8',
    RABBITMQ_NODENAME: `${member?.name ?? 'waybill'}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: server,
    RABBITMQ_DIST_PORT: distribution,
    RABBITMQ_MNESIA_BASE: '/node/data',
    RABBITMQ_LOG_BASE: '/node/log',
    RABBITMQ_PID_FILE: '/node/pid',
    RABBITMQ_ENABLED_PLUGINS_FILE: '/node/plugins',
    RABBITMQ_CONFIG_FILE: '/node/rabbitmq.conf',
    RABBITMQ_ADVANCED_CONFIG_FILE: '/node/advanced.config',
    // Both would listen on every address otherwise.
    ERL_EPMD_PORT: epmd,
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
  }
  const lines = Object.entries(environment).map(([name, value]) => `export ${name}='${value}'\n`)
  writeFileSync(join(folder, 'environment'), lines.join(''))
}

/** @see https://www.rabbitmq.com/docs/cluster-formation#peer-discovery-classic-config */
function clusterSettings({ names }: RabbitMqMember): string {
  const nodes = names.map((name, index) => `cluster_formation.classic_config.nodes.${index + 1} = ${name}@localhost\n`)
  return `cluster_formation.peer_discovery_backend = classic_config\n${nodes.join('')}`
}

/** @see https://www.rabbitmq.com/docs/ssl */
function tlsSettings({ port }: RabbitMqTls): string {
  return Object.entries({
    'listeners.ssl.1': `127.0.0.1:${port}`,
    'ssl_options.cacertfile': '/node/tls/ca.pem',
    'ssl_options.certfile': '/node/tls/server.pem',
    'ssl_options.keyfile': '/node/tls/server.key',
    'ssl_options.verify': 'verify_peer',
    'ssl_options.fail_if_no_peer_cert': 'false',
    'auth_mechanisms.1': 'PLAIN',
    'auth_mechanisms.2': 'EXTERNAL',
    ssl_cert_login_from: 'common_name',
  })
    .map(([name, value]) => `${name} = ${value}\n`)
    .join('')
}

/** The arguments of `unshare` that run a command line in the tree for the node; without root, in a user namespace too. */
export function inside(tree: string, folder: string, commandLine: string): string[] {
  const namespaces = process.getuid?.() === 0 ? ['--mount'] : ['--map-root-user', '--mount']
  return [...namespaces, '/bin/sh', '-c', ENTER, 'sh', tree, folder, commandLine]
}
