/**
 * The terminal while a live view has it: the other screen, no cursor, keys as they are pressed.
 *
 * Invariant: whatever happens, `close` gives the terminal back as it was.
 */
import type { Size } from './screen.js'

export interface Terminal {
  size(): Size
  /** Replaces what is shown; lines are not longer than the terminal is wide. */
  show(lines: string[]): void
  /** Resolves when the user quits, by `q`, Ctrl-C or a signal. */
  quit: Promise<void>
  /** Called when the terminal has another size. */
  onResize(redraw: () => void): void
  close(): void
}

/** In raw mode Ctrl-C and Ctrl-D are keys. */
const quitKeys = ['q', 'Q', '\u0003', '\u0004']

const enter = '\u001b[?1049h\u001b[?25l'
const leave = '\u001b[?25h\u001b[?1049l'

export function openTerminal(stdin = process.stdin, stdout = process.stdout): Terminal {
  const raw = stdin.isTTY === true
  let quit: () => void = () => {}
  const quitting = new Promise<void>((resolve) => {
    quit = resolve
  })
  if (raw) stdin.setRawMode(true)
  stdin.on('data', (keys: Buffer) => {
    if ([...keys.toString('latin1')].some((key) => quitKeys.includes(key))) quit()
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, quit)
  stdout.write(enter)
  return {
    size: () => ({ columns: stdout.columns ?? 80, rows: stdout.rows ?? 24 }),
    // Each line ends with an erase to its end: clearing the whole screen first would flicker.
    show: (lines) => void stdout.write(`\u001b[H${lines.map((line) => `${line}\u001b[K`).join('\r\n')}\u001b[J`),
    quit: quitting,
    onResize: (redraw) => void stdout.on('resize', redraw),
    close() {
      stdout.write(leave)
      if (raw) stdin.setRawMode(false)
      stdin.pause()
    },
  }
}
