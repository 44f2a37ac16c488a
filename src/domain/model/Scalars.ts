/**
 * The scalar types of the wire. A field's range and its bytes stand here, once: validation, the
 * MessagePack codec and the test generators are all derived from these schemas.
 *
 * Strings are well-formed Unicode, because UTF-8 cannot carry a lone surrogate. Integers of 64 bits
 * are safe integers: no protocol value reaches 2^53, and a version of 2^64-1 is an attack.
 */
import { Schema, SchemaTransformation } from "effect"

declare module "effect/Schema" {
  namespace Annotations {
    interface Annotations {
      /** How the derived MessagePack codec writes this schema; `bytes`: an array of integers, `bin`: as they are. */
      readonly wire?: "bytes" | "bin" | undefined
    }
  }
}

const unsigned = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum }))

/** Unsigned 8-bit integer, 0…255. */
export const U8 = unsigned(0xff)
/** Unsigned 16-bit integer, 0…65535. */
export const U16 = unsigned(0xffff)
/** Unsigned 32-bit integer, 0…2^32−1. */
export const U32 = unsigned(0xffff_ffff)
/** Unsigned 64-bit integer of the wire, restricted to 0…2^53−1. */
export const U64 = unsigned(Number.MAX_SAFE_INTEGER)
/** Signed 64-bit integer of the wire, restricted to ±(2^53−1). */
export const I64 = Schema.Int.check(
  Schema.isBetween({ minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER })
)
/** IEEE 754 double; always eight bytes on the wire. */
export const F64 = Schema.Number

/** The check that a string has no lone surrogate. Implied by valid UTF-8, so the decoder need not repeat it. */
export const isWellFormed = Schema.makeFilter((text: string) => text.isWellFormed(), {
  title: "isWellFormed",
  expected: "a string without lone surrogates"
})
/** A Unicode string; UTF-8 on the wire. */
export const Text = Schema.String.check(isWellFormed)

const octets = Schema.Array(U8).pipe(
  Schema.decodeTo(
    Schema.Uint8Array,
    SchemaTransformation.transform({
      decode: (octets: ReadonlyArray<number>): Uint8Array => Uint8Array.from(octets),
      encode: (bytes: Uint8Array): ReadonlyArray<number> => Array.from(bytes)
    })
  )
)

/** Opaque bytes: a `Uint8Array` in the domain, an array of integers on the wire (the reference rejects `bin`). */
export const Bytes = octets.annotate({ wire: "bytes" })

/** Opaque bytes inside payloads that only Squadron reads, so written as MessagePack `bin`: half the size. */
export const Binary = octets.annotate({ wire: "bin" })

/** Name of a node, unique in its cluster; chosen by its operator. */
export const NodeId = Text
export type NodeId = typeof NodeId.Type

/** One process under a node id. Fresh at every start and at every rejoin; 0 is a peer that sends none. */
export const Incarnation = U64
export type Incarnation = typeof Incarnation.Type

/** Name of a line of views (given by its founder); versions are comparable only within one. */
export const Lineage = Text
export type Lineage = typeof Lineage.Type
