/** Expected failures of a store of partitions. */
import { Schema } from "effect"

/**
 * The store could not do it: its file cannot be read or written, is locked, or holds something else. What was
 * asked for has not been acknowledged; it may still be there after a restart.
 */
export class StoreFailed extends Schema.TaggedError<StoreFailed>()("StoreFailed", {
  /** What was tried, for example `write` or `open`. */
  operation: Schema.String,
  /**
   * `unavailable`: no permission, no such folder, an I/O error. `locked`: another process has it. `corrupted`: its
   * content is damaged or not ours. `version`: another release wrote it. `closed`: it has been closed. `overloaded`:
   * more requests wait than it takes; nothing of this one has been done, and it may be tried again.
   */
  reason: Schema.Literals(["unavailable", "locked", "corrupted", "version", "closed", "overloaded"]),
  detail: Schema.String
}) {
  override get message(): string {
    return `the store failed at ${this.operation} (${this.reason}): ${this.detail}`
  }
}

/** There is no room for it: the disk is full or the configured maximum is reached. Nothing of it has been stored. */
export class StoreFull extends Schema.TaggedError<StoreFull>()("StoreFull", {
  operation: Schema.String,
  /** Bytes that the store may hold; 0 when the disk set the limit. */
  limitBytes: Schema.Int
}) {
  override get message(): string {
    return this.limitBytes === 0
      ? `no room for ${this.operation}: the disk is full`
      : `no room for ${this.operation}: the store may hold ${this.limitBytes} bytes`
  }
}
