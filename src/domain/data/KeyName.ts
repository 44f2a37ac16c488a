/** Keys of maps, by name. */
import { Schema } from "effect"
import { MapType } from "../model/Migration.ts"
import { Text, U64 } from "../model/Scalars.ts"

/** A key of a map. */
export const KeyName = Schema.Struct({ mapName: Text, mapType: MapType, key: Text })
export type KeyName = typeof KeyName.Type

/** The digest of all records of one key. */
export const KeyDigest = Schema.Struct({ ...KeyName.fields, digest: U64 })
export type KeyDigest = typeof KeyDigest.Type
