/** The package as npm packs it, installed into projects that hold nothing else. */
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { outputOf } from './program.js'
import { scratchFolder } from './scratch.js'

const root = join(import.meta.dirname, '../..')
const quiet = ['--silent', '--prefer-offline', '--no-audit', '--no-fund']
const patience = { timeoutMs: 120_000 }

/** Packs what was built; returns the file. */
export async function packPackage(): Promise<string> {
  const folder = scratchFolder()
  await outputOf('npm', ['pack', ...quiet, '--pack-destination', folder], { cwd: root, ...patience })
  const [file = ''] = readdirSync(folder)
  return join(folder, file)
}

export class NpmProject {
  readonly folder = scratchFolder()

  static async install(packages: string[], type: 'module' | 'commonjs'): Promise<NpmProject> {
    const project = new NpmProject()
    project.write('package.json', JSON.stringify({ name: 'empty', private: true, type }))
    await outputOf('npm', ['install', ...quiet, ...packages], { cwd: project.folder, ...patience })
    return project
  }

  write(file: string, text: string): void {
    writeFileSync(join(this.folder, file), text)
  }

  /** Runs a program of the project by node and returns what it printed; throws when it fails. */
  node(...args: string[]): Promise<string> {
    return outputOf(process.execPath, args, { cwd: this.folder, timeoutMs: 60_000 })
  }
}
