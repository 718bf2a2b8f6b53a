import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execute } from './execute.ts'

/**
 * An apt of one's own inside a folder: another suite of the machine's mirror, nothing installed, the machine's own
 * apt and dpkg untouched. Needs no root.
 */
export class DebianPackages {
  readonly #folder: string
  readonly #env: NodeJS.ProcessEnv

  private constructor(folder: string) {
    this.#folder = folder
    this.#env = { ...process.env, APT_CONFIG: join(folder, 'apt.conf'), LC_ALL: 'C' }
  }

  static async open(folder: string, suite: string): Promise<DebianPackages> {
    for (const part of ['lists/partial', 'cache/archives/partial', 'parts', 'debs']) {
      mkdirSync(join(folder, part), { recursive: true })
    }
    const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'
    writeFileSync(join(folder, 'sources.list'), `deb [signed-by=${keyring}] ${await mirror()} ${suite} main\n`)
    writeFileSync(join(folder, 'status'), '')
    writeFileSync(join(folder, 'apt.conf'), configuration(folder))
    const packages = new DebianPackages(folder)
    await packages.#run('apt-get', ['-qq', 'update'])
    return packages
  }

  /** Direct dependencies, by name. */
  async dependencies(name: string): Promise<string[]> {
    const output = await this.#run('apt-cache', ['depends', name])
    return [...output.matchAll(/^ {2}Depends: ([a-z0-9][a-z0-9.+-]+)$/gm)].flatMap(([, dependency]) => dependency ?? [])
  }

  /** These packages and all they need, by name. */
  async closure(names: readonly string[]): Promise<string[]> {
    const output = await this.#run('apt-get', ['install', '--yes', '--print-uris', '-qq', ...names])
    return [...output.matchAll(/' ([^_ ]+)_\S+\.deb /g)].flatMap(([, name]) => name ?? [])
  }

  /** Fetches and checks the packages. @returns their files */
  async download(names: readonly string[]): Promise<string[]> {
    const debs = join(this.#folder, 'debs')
    await this.#run('apt-get', ['-qq', 'download', ...names], debs)
    return readdirSync(debs).map((file) => join(debs, file))
  }

  #run(program: string, args: readonly string[], cwd = this.#folder): Promise<string> {
    return execute(program, args, { cwd, env: this.#env })
  }
}

const LEFT_OUT = ['doc', 'man', 'locale', 'lintian'].map((folder) => `--exclude=./usr/share/${folder}*`)

/** Puts a package's files into a tree, without its documentation; its install scripts don't run. */
export async function unpackDebian(deb: string, tree: string): Promise<void> {
  const tar = ['tar', '-x', '-C', tree, '--keep-directory-symlink', '--no-same-owner', ...LEFT_OUT]
  await execute('sh', ['-c', 'deb=$1; shift; dpkg-deb --fsys-tarfile "$deb" | "$@"', 'sh', deb, ...tar])
}

/** The first main archive among the machine's own sources. */
async function mirror(): Promise<string> {
  const output = await execute('apt-get', ['indextargets', '--format', '$(CREATED_BY) $(COMPONENT) $(REPO_URI)'])
  const line = output.split('\n').find((target) => /^Packages main \S+\/debian\/?$/.test(target))
  const address = line?.split(' ')[2]
  if (address === undefined) throw new Error("no Debian mirror is among this machine's sources of apt")
  return address
}

function configuration(folder: string): string {
  return Object.entries({
    'Dir::State': folder,
    'Dir::State::lists': join(folder, 'lists'),
    'Dir::State::status': join(folder, 'status'),
    'Dir::Cache': join(folder, 'cache'),
    'Dir::Etc::sourcelist': join(folder, 'sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::Etc::preferencesparts': '/dev/null',
    'Acquire::Languages': 'none',
    'Acquire::Check-Valid-Until': 'false',
    'APT::Install-Recommends': 'false',
    'APT::Sandbox::User': 'root',
    'Debug::NoLocking': 'true',
  })
    .map(([name, value]) => `${name} "${value}";\n`)
    .join('')
}
