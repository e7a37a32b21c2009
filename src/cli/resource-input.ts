/** `-f FILE`: where commands that take resources read them from. */
import type { Command } from 'commander'

export interface FilesOptions {
  filename: string[]
}

export function addFilesOption(command: Command): Command {
  return command.requiredOption('-f, --filename <file...>', 'files or folders with resources; - for standard input')
}

export async function readStandardInput(): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}
