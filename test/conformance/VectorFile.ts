/** Reading recorded cases: a file of the conformance folder, checked by a Schema, and hex. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Schema } from "effect"

/** All cases of a file. Throws when it is not what the schema says: then the recording is broken. */
export const readCases = <A, I>(folder: string, file: string, schema: Schema.Codec<A, I>): A =>
  Schema.decodeUnknownSync(Schema.fromJsonString(schema))(readFileSync(join(folder, file), "utf8"))

export const fromHex = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, "hex"))

export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")
