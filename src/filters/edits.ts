/** What a filter changed so far, as the lines that the engine reads: see native/binding/src/script.rs. */
export class Edits {
  text: string
  private readonly what: string
  private open = true

  constructor(what: string, text = '') {
    this.what = what
    this.text = text
  }

  add(line: string): void {
    if (!this.open) throw new Error(`it is too late to change the ${this.what}: its phase is over`)
    this.text += `${line}\n`
  }

  /** The phase is over; what comes later, from a timer for example, would be lost in silence. */
  close(): void {
    this.open = false
  }
}
