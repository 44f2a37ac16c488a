/** A line at the bottom of a terminal that says what is going on; nothing elsewhere. */
export class Progress {
  private text = ""
  /** Is anybody looking? */
  readonly isShown = process.stderr.isTTY

  say(text: string): void {
    this.text = text
    if (this.isShown) process.stderr.write(`\r\u001b[K${text}`)
  }

  /** A line that stays. */
  print(line: string): void {
    if (this.isShown) process.stderr.write("\r\u001b[K")
    console.log(line)
    if (this.isShown) process.stderr.write(this.text)
  }

  clear(): void {
    this.say("")
  }
}
