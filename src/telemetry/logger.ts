/**
 * The operational log of the process: one line per event on standard error, text for people or JSON for collectors.
 * Access logs do not come this way; the engine writes them itself.
 */

/** From the least to the most. */
export const levels = ['info', 'warn', 'error'] as const
export type Level = (typeof levels)[number]
export type Fields = Record<string, string | number | boolean | null>

export interface Logger {
  info(message: string, fields?: Fields): void
  warn(message: string, fields?: Fields): void
  error(message: string, fields?: Fields): void
}

/** A logger that can be made quieter while the process runs. */
export interface AdjustableLogger extends Logger {
  /** What is less than this is not written. */
  level: Level
}

export interface LoggerOptions {
  format: 'text' | 'json'
  colour: boolean
  write: (line: string) => void
  now: () => Date
}

const colours: Record<Level, string> = { info: '', warn: '\u001b[33m', error: '\u001b[31m' }

export function createLogger(options: LoggerOptions): AdjustableLogger {
  const log =
    (level: Level) =>
    (message: string, fields: Fields = {}) => {
      if (levels.indexOf(level) < levels.indexOf(logger.level)) return
      const line = options.format === 'json' ? json : text
      options.write(line(options, level, message, fields))
    }
  const logger: AdjustableLogger = { level: 'info', info: log('info'), warn: log('warn'), error: log('error') }
  return logger
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
