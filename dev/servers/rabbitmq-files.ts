import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { say } from '../bootstrap/paths.mjs'
import { cached } from './cached.ts'
import { DebianPackages, unpackDebian } from './debian-packages.ts'
import { requirePrograms } from './missing.ts'

/** RabbitMQ as Debian packs it: each version lives in one suite. */
const SUITES = { '3.10': 'bookworm', '4.0': 'trixie', '4.3': 'forky' } as const

export type RabbitMqVersion = keyof typeof SUITES

/** @throws {Error} naming the versions there are */
export function rabbitMqVersion(text: string): RabbitMqVersion {
  if (Object.hasOwn(SUITES, text)) return text as RabbitMqVersion
  throw new Error(`--rabbitmq ${text}: it is one of ${Object.keys(SUITES).join(', ')}`)
}

/** Needed by nobody but the packages' own install scripts, which don't run here. */
const FOR_INSTALL_SCRIPTS =
  /^(adduser|debconf|dpkg|init|libaudit|libcap-ng|libpam|libperl|login|lsb|netbase|passwd|perl|procps|systemd|sysv|tar|util-linux)/

/**
 * A small tree with RabbitMQ, Erlang and a shell, to be entered by chroot. Needs no root and installs nothing.
 * @returns its root, which is only read from then on
 */
export async function rabbitMqFiles(version: RabbitMqVersion): Promise<string> {
  await requirePrograms('RabbitMQ', 'AMQP_URL', ['unshare', 'mount', 'chroot'])
  return cached(`rabbitmq-${version}`, async (tree) => {
    await requirePrograms('RabbitMQ', 'AMQP_URL', ['apt-get', 'dpkg-deb', 'tar'])
    say(`fetching RabbitMQ ${version} from the Debian mirror (about 40 MB, some 15 s)`)
    const work = mkdtempSync(join(tmpdir(), 'waybill-apt-'))
    try {
      const packages = await DebianPackages.open(work, SUITES[version])
      const erlang = (await packages.dependencies('rabbitmq-server')).filter((name) => name.startsWith('erlang-'))
      const closure = await packages.closure(['erlang-base', ...erlang, 'dash', 'coreutils', 'sed', 'grep', 'mawk'])
      const names = new Set(['rabbitmq-server', 'erlang-base', ...erlang, ...closure])
      const wanted = [...names].filter((name) => !FOR_INSTALL_SCRIPTS.test(name))
      makeSkeleton(tree)
      for (const deb of await packages.download(wanted)) await unpackDebian(deb, tree)
      finish(tree)
    } finally {
      rmSync(work, { recursive: true, force: true })
    }
  })
}

/** Folders as in today's Debian, where /bin and its sisters are links into /usr. */
function makeSkeleton(tree: string): void {
  for (const folder of ['bin', 'sbin', 'lib', 'lib64']) {
    mkdirSync(join(tree, 'usr', folder), { recursive: true })
    symlinkSync(`usr/${folder}`, join(tree, folder))
  }
  for (const folder of ['proc', 'dev', 'tmp', 'node', 'etc']) mkdirSync(join(tree, folder))
}

function finish(tree: string): void {
  for (const [name, program] of Object.entries({ awk: 'mawk', sh: 'dash' })) {
    if (!existsSync(join(tree, 'usr/bin', name))) symlinkSync(program, join(tree, 'usr/bin', name))
  }
  writeFileSync(join(tree, 'etc/hosts'), '127.0.0.1 localhost\n')
  writeFileSync(join(tree, 'etc/nsswitch.conf'), 'hosts: files\n')
  writeFileSync(join(tree, 'etc/passwd'), 'root:x:0:0:root:/:/bin/sh\n')
  writeFileSync(join(tree, 'etc/group'), 'root:x:0:\n')
  if (!existsSync(join(tree, 'usr/lib/rabbitmq/bin/rabbitmq-server'))) {
    throw new Error('the packages hold no rabbitmq-server: set AMQP_URL to a server')
  }
}
