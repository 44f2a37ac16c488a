/** Models between which a future can tell have different texts. */
import { expect, it } from "vitest"
import * as Mesh from "../../../src/domain/protocol/Mesh.ts"
import { available } from "../../../src/domain/protocol/Quorum.ts"
import { type Step, transition } from "../../../src/domain/protocol/Transition.ts"
import { canonical } from "../../../src/testing/exploration/Canonical.ts"
import { fresh, type Model, startMs, tickMs } from "../../../src/testing/exploration/Model.ts"

const start = fresh({ nodes: 2, policy: available })

/** The model after steps of its first node, each at a tick from the start. */
const after = (...steps: ReadonlyArray<(step: Step) => void>): Model => {
  const [first, ...others] = start.cores
  if (first === undefined) throw new Error("the model has no nodes")
  const state = steps.reduce((now, run, tick) => transition(run)(now, startMs + tick * tickMs)[0], first.state)
  return { ...start, cores: [{ ...first, state }, ...others] }
}

const twoLinks = (step: Step): void => {
  for (const id of [1, 3]) {
    Mesh.accepted(step, id)
    Mesh.identify(step, id, "n2")
  }
}
const agree = (step: Step): void => Mesh.agree(step, "n2", 3)
const nothing = (): void => undefined

it("since when both ends use a connection decides when the others are closed", () => {
  const texts = [
    [twoLinks, nothing, nothing],
    [twoLinks, agree, nothing],
    [twoLinks, nothing, agree]
  ].map((steps) => canonical(after(...steps)))
  expect(new Set(texts).size).toBe(3)
})
