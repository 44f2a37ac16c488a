/** The signals that ask a program to end, as values: what to do about them is each command's decision. */
import { Context, Effect, Layer, Queue } from "effect"

const heard = ["SIGINT", "SIGTERM", "SIGHUP"] as const
export type Signal = (typeof heard)[number]

/** Signals that wait to be taken; then further ones are dropped: two are enough to end any command. */
const maxWaitingSignals = 8

export class Signals extends Context.Service<
  Signals,
  {
    /** The next signal that nobody has taken. */
    readonly next: Effect.Effect<Signal>
  }
>()("effect-squadron/cli/Signals") {
  /** Listens while the layer lives; the signals then no longer end the process by themselves. */
  static readonly layer: Layer.Layer<Signals> = Layer.effect(
    Signals,
    Effect.gen(function* () {
      const received = yield* Queue.dropping<Signal>(maxWaitingSignals)
      const receive = (signal: Signal): void => {
        Queue.offerUnsafe(received, signal)
      }
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          for (const signal of heard) process.on(signal, receive)
        }),
        () =>
          Effect.sync(() => {
            for (const signal of heard) process.off(signal, receive)
          })
      )
      return Signals.of({ next: Queue.take(received) })
    })
  )
}

/** Exit code of a program that was ended by this signal, as shells count: 128 and the signal's number. */
export const exitCodeOf = (signal: Signal): number => {
  switch (signal) {
    case "SIGHUP":
      return 129
    case "SIGINT":
      return 130
    case "SIGTERM":
      return 143
  }
}
