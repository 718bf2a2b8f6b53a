import { execFile } from 'node:child_process'

export interface Execution {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
}

/** Runs a program to its end and resolves with what it printed; a failure tells its last lines, without addresses. */
export function execute(program: string, args: readonly string[], { cwd, env }: Execution = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { cwd, env: env ?? process.env, maxBuffer: 64 << 20, encoding: 'utf8' as const }
    execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout)
      const words = `${stdout}${stderr}`.trim().split('\n').slice(-5).join('\n')
      const address = /\bhttps?:\/\/[^\s/]+/g
      reject(new Error(`${program} ${args[0] ?? ''} failed: ${(words || error.message).replace(address, 'SERVER')}`))
    })
  })
}

/** Whether the program is on the PATH. */
export async function isInstalled(program: string): Promise<boolean> {
  return execute('sh', ['-c', 'command -v "$1"', 'sh', program]).then(
    () => true,
    () => false,
  )
}
