/** What a long fuzz is made of: shares of frames, each with a seed of its own and run in one piece. */
import { Schema } from "effect"

export const Share = Schema.Struct({ seed: Schema.Int, frames: Schema.Int })
export type Share = typeof Share.Type

export const ShareResult = Schema.Struct({
  ...Share.fields,
  accepted: Schema.Int,
  /** What broke a rule, with the frame in hex. */
  failure: Schema.optionalKey(Schema.String),
  /** Real time of one process. */
  elapsedMs: Schema.Number,
  /** Memory of that process afterwards, all of it. */
  residentBytes: Schema.Int
})
export type ShareResult = typeof ShareResult.Type

/** Frames of one share: some seconds of work. */
const framesPerShare = 250_000

/** Shares of so many frames, with seeds from `firstSeed` on. */
export const sharesOf = (frames: number, firstSeed: number): ReadonlyArray<Share> =>
  Array.from({ length: Math.ceil(frames / framesPerShare) }, (_, i) => ({
    seed: firstSeed + i,
    frames: Math.min(framesPerShare, frames - i * framesPerShare)
  }))
