/** What a law is, and how it says that it does not hold. */
import { Data, Effect, type Scope } from "effect"

/** A store breaks a law. */
export class LawBroken extends Data.TaggedError("LawBroken")<{
  readonly expected: string
  readonly detail: string
}> {
  override get message(): string {
    return `expected ${this.expected}: ${this.detail}`
  }
}

/** A law and its check, which opens stores of its own. Run it with any runner: the effect fails when the law is broken. */
export interface Law<E> {
  readonly name: string
  readonly check: Effect.Effect<void, E | LawBroken>
}

/** A place where a store keeps its data. */
export interface Medium<Store, E> {
  /** Opens the store on this medium; closed with the scope. */
  readonly open: Effect.Effect<Store, E, Scope.Scope>
}

/** Fails unless the condition holds. */
export const expect = (holds: boolean, expected: string, detail: () => string): Effect.Effect<void, LawBroken> =>
  holds ? Effect.void : Effect.fail(new LawBroken({ expected, detail: detail() }))

/** Fails unless both are the same as JSON. */
export const expectSame = (actual: unknown, wanted: unknown, expected: string): Effect.Effect<void, LawBroken> => {
  const [a, b] = [shown(actual), shown(wanted)]
  return expect(a === b, expected, () => `got ${a.slice(0, 400)}, wanted ${b.slice(0, 400)}`)
}

const shown = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    inner instanceof Uint8Array ? Buffer.from(inner).toString("hex") : inner
  )
