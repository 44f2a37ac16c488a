/**
 * Memory for large frames, used again and again. A new buffer for each would be so much garbage while partitions are
 * copied that the collector of a node runs several times a second, and its clients wait meanwhile.
 *
 * A frame may be overwritten when the socket has written it. Sockets do not say so, but they say when they hold as
 * much as their high-water mark, and then the writer waits. So what lies that far behind the end of all that was handed
 * over has been written.
 */
import { Buffer } from "node:buffer"
import { getDefaultHighWaterMark } from "node:stream"

/** Bytes of one piece: a part of a copy, with changes. Larger frames have buffers of their own. */
export const pieceBytes = 160 * 1024
/** Pieces of a transport that wait to be used again; further ones are left to the collector. */
const maxFree = 8

/** Pieces that are not in use, of one transport. */
export type FreePieces = Array<Uint8Array>

export const noPieces = (): FreePieces => []

export const take = (free: FreePieces): Uint8Array => free.pop() ?? Buffer.allocUnsafeSlow(pieceBytes)

const giveBack = (free: FreePieces, piece: Uint8Array): void => {
  if (free.length < maxFree) free.push(piece)
}

/** Pieces of one connection that its socket may still hold, oldest first, each with where it ends in the stream. */
export interface HandedOver {
  readonly pieces: Array<{ readonly piece: Uint8Array; readonly end: number }>
  /** Bytes that were ever handed to the socket. */
  total: number
}

export const nothingHandedOver = (): HandedOver => ({ pieces: [], total: 0 })

/** A write is over: `bytes` of it were handed to the socket, the given pieces among them. */
export const handedOver = (
  state: HandedOver,
  free: FreePieces,
  bytes: number,
  pieces: ReadonlyArray<Uint8Array>
): void => {
  state.total += bytes
  for (const piece of pieces) state.pieces.push({ piece, end: state.total })
  while (state.pieces.length > 0 && state.total - (state.pieces[0]?.end ?? 0) >= getDefaultHighWaterMark(false)) {
    const written = state.pieces.shift()
    if (written !== undefined) giveBack(free, written.piece)
  }
}
