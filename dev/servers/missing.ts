import { isInstalled } from './execute.ts'

/** Throws one line that names what to install, or which variable gives a server of one's own. */
export async function requirePrograms(server: string, variable: string, programs: readonly string[]): Promise<void> {
  const missing: string[] = []
  for (const program of programs) if (!(await isInstalled(program))) missing.push(program)
  if (missing.length === 0) return
  throw new Error(`${server} needs ${missing.join(', ')} on this machine: install it, or set ${variable} to a server`)
}
