/** `weft describe`: everything about one resource: what it says, who wrote it, how it came to be. */
import type { CliCommand } from '../command.js'
import { exitCodes } from '../output.js'
import { resourcePath, type ShownResource } from '../resource.js'
import { addNamespaceOption, addSessionOptions, dumpYaml, type SessionOptions, withSession } from '../session.js'
import { historyTable, type ShownHistory } from './history.js'

export const describe: CliCommand = {
  name: 'describe',
  about: 'show everything about one resource',
  declare(command, finish) {
    addNamespaceOption(addSessionOptions(command))
      .argument('<kind>')
      .argument('<name>')
      .action((kind: string, name: string, options: SessionOptions & { namespace?: string }) => {
        return finish(
          withSession(options, async ({ client, print }) => {
            const path = resourcePath(kind, options.namespace, name)
            const resource = await client.get<ShownResource>(path)
            const { items } = await client.get<{ items: ShownHistory[] }>(`${path}/history`)
            const specText = await dumpYaml(resource.spec ?? resource.data ?? {})
            await print(describeResource(resource, specText, items), { resource, history: items })
            return exitCodes.ok
          }),
        )
      })
  },
}

export function describeResource(resource: ShownResource, specText: string, history: readonly ShownHistory[]): string {
  const { name, namespace, labels = {}, annotations = {}, resourceVersion, creationTimestamp } = resource.metadata
  const pairs = (words: Record<string, string>) =>
    Object.entries(words)
      .map(([key, value]) => `${key}=${value}`)
      .join(', ')
  const facts = [
    ['Kind', `${resource.kind} (${resource.apiVersion})`],
    ['Name', `${namespace}/${name}`],
    ['Labels', pairs(labels)],
    ['Annotations', pairs(annotations)],
    ['Version', `${resourceVersion}${history[0] === undefined ? '' : ` by ${history[0].author}`}`],
    ['Created', creationTimestamp],
  ]
  const shown = facts
    .filter(([, value]) => value !== '')
    .map(([fact = '', value]) => `${`${fact}:`.padEnd(13)}${value}`)
  const spec = specText
    .trimEnd()
    .split('\n')
    .map((line) => `  ${line}`)
  const changes = historyTable(history)
    .split('\n')
    .map((line) => `  ${line}`)
  return [...shown, resource.data === undefined ? 'Spec:' : 'Data:', ...spec, 'History:', ...changes].join('\n')
}
