/** A hash over what happens, step by step: equal for equal runs. 32 bits. */
export class TraceHash {
  value = 0

  /** Adds a whole number, of which both halves count. */
  mix(number: number): void {
    // Nearly all numbers have one half.
    const high = number >= 0 && number < 2 ** 32 ? 0 : Math.floor(number / 2 ** 32)
    const value = Math.imul(this.value ^ (number | 0), 0x01000193) ^ Math.imul(high + 1, 0x85ebca6b)
    this.value = Math.imul(value ^ (value >>> 15), 0x2c1b3c6d) >>> 0
  }
}
