/** An operation on a map that cannot be carried out, whoever tries. Nothing of its write has been. */
import { Schema } from "effect"

export class InvalidOperation extends Schema.TaggedError<InvalidOperation>()("InvalidOperation", {
  mapName: Schema.String,
  /** The key, cut to 80 characters. */
  key: Schema.String,
  /**
   * `mapNameLength`, `keyLength`, `valueLength`: beyond its bound. `tooManyTags`: the key holds `maxTagsPerKey`
   * additions. `tooManyOperations`: the write holds more than `maxOperationsPerWrite`. `endOfTime`: a record with
   * the last possible timestamp cannot be replaced.
   */
  reason: Schema.Literals([
    "mapNameLength",
    "keyLength",
    "valueLength",
    "tooManyTags",
    "tooManyOperations",
    "endOfTime"
  ]),
  limit: Schema.Int
}) {
  override get message(): string {
    return `an operation on "${this.mapName}", key "${this.key}", is invalid: ${this.reason} (limit ${this.limit})`
  }
}
