/** The shape of every command: a file that declares itself and resolves with the exit code of the process. */
import { type Command, Option } from 'commander'
import type { Format } from './output.js'

export interface CliCommand {
  name: string
  about: string
  /** Adds options and the action; `finish` takes the promised exit code. */
  declare(command: Command, finish: (code: Promise<number>) => Promise<void>): void
}

export interface FileOptions {
  config: string
  output: Format
}

export function addFileOption(command: Command): Command {
  return command.requiredOption('-c, --config <file>', 'configuration file')
}

export function addOutputOption(command: Command): Command {
  return command.addOption(new Option('--output <format>', 'how to print').choices(['text', 'json']).default('text'))
}
