/**
 * Views over the memory that messages come from and go to. Making a `DataView` costs more than
 * decoding a heartbeat, and a socket delivers many messages in one buffer, so the views of the
 * buffer seen last are kept: one per direction, whatever its size.
 */

/** All of one buffer, as bytes and as words. Positions are absolute in it. */
export interface ByteViews {
  readonly memory: ArrayBufferLike
  readonly bytes: Uint8Array
  readonly words: DataView
}

/** Remembers the views of one buffer. */
export const makeViewCache = (): ((bytes: Uint8Array) => ByteViews) => {
  let last: ByteViews = viewsOf(new ArrayBuffer(0))
  return (bytes) => {
    if (last.memory !== bytes.buffer) last = viewsOf(bytes.buffer)
    return last
  }
}

const viewsOf = (memory: ArrayBufferLike): ByteViews => ({
  memory,
  // A Buffer where there is one: it converts long ASCII without a copy.
  bytes: typeof Buffer === "undefined" ? new Uint8Array(memory) : Buffer.from(memory),
  words: new DataView(memory)
})
