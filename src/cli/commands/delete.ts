/** `weft delete`: takes resources out of force, by name or as they stand in files. */
import { WeftError } from '../../errors.js'
import type { CliCommand } from '../command.js'
import { exitCodes } from '../output.js'
import { describeChanges, resourcePath, type ShownChanges, type ShownResource } from '../resource.js'
import { readStandardInput } from '../resource-input.js'
import { addNamespaceOption, addSessionOptions, type Session, type SessionOptions, withSession } from '../session.js'

interface DeleteOptions extends SessionOptions {
  namespace?: string
  filename?: string[]
  dryRun?: boolean
}

export const remove: CliCommand = {
  name: 'delete',
  about: 'take resources out of force',
  declare(command, finish) {
    addNamespaceOption(addSessionOptions(command))
      .argument('[kind]')
      .argument('[name]')
      .option('-f, --filename <file...>', 'files or folders whose resources go; - for standard input')
      .option('--dry-run', 'say what would happen, change nothing')
      .action((kind: string | undefined, name: string | undefined, options: DeleteOptions) => {
        return finish(withSession(options, (session) => execute(session, kind, name, options)))
      })
  },
}

async function execute(session: Session, kind: string | undefined, name: string | undefined, options: DeleteOptions) {
  const { filename, namespace, dryRun = false } = options
  const paths = filename === undefined ? [pathOf(kind, name, namespace)] : await pathsOf(filename)
  let code: number = exitCodes.ok
  for (const path of paths) {
    try {
      const result = await session.client.ask<ShownChanges>('DELETE', `${path}?dryRun=${dryRun}`)
      await session.print(describeChanges(result), result)
    } catch (error) {
      // The others of the files go all the same.
      if (!(error instanceof WeftError) || paths.length === 1) throw error
      code = session.fail(error, path)
    }
  }
  return code
}

function pathOf(kind: string | undefined, name: string | undefined, namespace: string | undefined): string {
  if (kind !== undefined && name !== undefined) return resourcePath(kind, namespace, name)
  throw new WeftError('WEFT_CONFIG_MISSING', 'what to delete is missing', { hint: 'give KIND NAME, or -f FILE' })
}

/** Last first, so that what depends on others goes before them. */
async function pathsOf(files: readonly string[]): Promise<string[]> {
  const { readResources } = await import('../../control/client/resource-files.js')
  const resources = await readResources(files, readStandardInput)
  return resources.reverse().map(({ value }) => {
    const { apiVersion = '', kind = '', metadata } = value as Partial<ShownResource>
    return resourcePath(`${kind}.${apiVersion.split('/')[0]}`, metadata?.namespace, metadata?.name ?? '')
  })
}
