/** A small sharded service: who has visited a page. Each page's visitors are kept where its partition is, and on a backup. */
import { Context, Effect, Layer, Schema } from "effect"
import { type OrMap, PartitionedMaps } from "effect-squadron/maps"

export class Visitors extends Context.Service<
  Visitors,
  {
    /** Once it succeeds the visit is on two nodes. `OutcomeUnknown`: it may be; to record it again does no harm. */
    readonly visit: (page: string, visitor: string) => ReturnType<OrMap<string>["add"]>
    readonly of: (page: string) => ReturnType<OrMap<string>["get"]>
  }
>()("Visitors") {
  static readonly layer = Layer.effect(
    Visitors,
    Effect.gen(function* () {
      const pages = (yield* PartitionedMaps).or({ name: "visitors", value: Schema.String, minCopies: 2 })
      return Visitors.of({ visit: (page, visitor) => pages.add(page, visitor), of: (page) => pages.get(page) })
    })
  )
}
