/**
 * What any process of the virtual world is to its machine and to the network: where it is, whether it lives, and an
 * event loop that can stand still. What arrives meanwhile waits, as in a kernel's buffers.
 */
export class VirtualProcess {
  readonly host: string
  readonly address: string
  isAlive = true
  /** The machine answers: without a process on it, it refuses connections at once. */
  isHostUp = true
  private held: Array<() => void> | undefined

  constructor(host: string, address: string) {
    this.host = host
    this.address = address
  }

  get isFrozen(): boolean {
    return this.held !== undefined
  }
  freeze(): void {
    this.held ??= []
  }
  /** Handles what has waited, in order. */
  thaw(): void {
    const held = this.held ?? []
    this.held = undefined
    for (const run of held) this.whenAwake(run)
  }
  /** Runs now, or after the thaw; never in a dead process. */
  whenAwake(run: () => void): void {
    if (!this.isAlive) return
    if (this.held === undefined) run()
    else this.held.push(run)
  }
}
