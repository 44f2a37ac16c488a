/**
 * A reading of a hybrid logical clock: when a change was made. Timestamps of one process are all different, and
 * those of two processes differ in their node part, so the order is total.
 *
 * Source: Kulkarni, Demirbas, Madappa, Avva and Leone, "Logical Physical Clocks", 2014.
 */
import { Order, Schema } from "effect"
import { compareCodePoints } from "../model/CodePointOrder.ts"
import { U32 } from "../model/Scalars.ts"
import { TimestampNode } from "./DataBounds.ts"

/** Latest millisecond that a timestamp can name (in the year 10889), so that one further always exists. */
export const maxWallMs = 2 ** 48 - 1
const maxCounter = 0xffff_ffff

const schema = Schema.Struct({
  /** Wall clock, milliseconds since 1970. */
  wallMs: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: maxWallMs })),
  /** Tells readings within one millisecond apart. */
  counter: U32,
  /** The process that took the reading: `id#incarnation`. */
  node: TimestampNode
})

export type Timestamp = typeof schema.Type

/** Negative when `a` is earlier, positive when it is later, 0 when they are equal. */
const compare = (a: Timestamp, b: Timestamp): number =>
  a.wallMs - b.wallMs || a.counter - b.counter || compareCodePoints(a.node, b.node)

const order: Order.Order<Timestamp> = Order.make((a, b) => {
  const sign = compare(a, b)
  return sign < 0 ? -1 : sign > 0 ? 1 : 0
})

/** The later of two. */
const max = (a: Timestamp, b: Timestamp): Timestamp => (compare(a, b) < 0 ? b : a)

/** The node part of the process `incarnation` of the node `nodeId`. */
const nodeOf = (nodeId: string, incarnation: number): string => `${nodeId}#${incarnation}`

/**
 * The first reading that `reading`'s node could take at or after its own reading and after all of `replaced`, or
 * `undefined` when there is none: something at the end of time cannot be replaced.
 */
const after = (reading: Timestamp, replaced: Timestamp | undefined): Timestamp | undefined => {
  if (replaced === undefined || compare(reading, replaced) > 0) return reading
  const { node } = reading
  if (replaced.counter < maxCounter) return { wallMs: replaced.wallMs, counter: replaced.counter + 1, node }
  return replaced.wallMs < maxWallMs ? { wallMs: replaced.wallMs + 1, counter: 0, node } : undefined
}

export const Timestamp = Object.assign(schema, { compare, order, max, nodeOf, after })
