/**
 * The operational log of the process: one line per event on standard error, text for people or JSON for collectors.
 * Access logs do not come this way; the engine writes them itself.
 */

export type Level = 'info' | 'warn' | 'error'
export type Fields = Record<string, string | number | boolean | null>

export interface Logger {
  info(message: string, fields?: Fields): void
  warn(message: string, fields?: Fields): void
  error(message: string, fields?: Fields): void
}

export interface LoggerOptions {
  format: 'text' | 'json'
  colour: boolean
  write: (line: string) => void
  now: () => Date
}

const colours: Record<Level, string> = { info: '', warn: '\u001b[33m', error: '\u001b[31m' }

export function createLogger(options: LoggerOptions): Logger {
  const log =
    (level: Level) =>
    (message: string, fields: Fields = {}) =>
      options.write(
        options.format === 'json' ? json(options, level, message, fields) : text(options, level, message, fields),
      )
  return { info: log('info'), warn: log('warn'), error: log('error') }
}

function json({ now }: LoggerOptions, level: Level, message: string, fields: Fields): string {
  return `${JSON.stringify({ time: now().toISOString(), level, message, ...fields })}\n`
}

/** Information stands bare, so that the first line is the start line; warnings and errors are marked. */
function text({ colour }: LoggerOptions, level: Level, message: string, fields: Fields): string {
  const mark = level === 'info' ? '' : colour ? `${colours[level]}${level}\u001b[0m: ` : `${level}: `
  const tail = Object.entries(fields).map(
    ([key, value]) => ` ${key}=${typeof value === 'string' ? quote(value) : value}`,
  )
  return `${mark}${message}${tail.join('')}\n`
}

function quote(value: string): string {
  return /^[\w./:@-]+$/.test(value) ? value : JSON.stringify(value)
}
