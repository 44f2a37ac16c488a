/** An operation on a map that cannot be carried out, whoever tries. Nothing of its write has been. */
import { Schema } from "effect"

export class InvalidOperation extends Schema.TaggedError<InvalidOperation>()("InvalidOperation", {
  mapName: Schema.String,
  /** The key, cut to 80 characters. */
  key: Schema.String,
  /**
   * `mapNameLength`, `keyLength`, `valueLength`: beyond its bound. `notUnicode`: the name or the key holds half of a
   * surrogate pair, which UTF-8 cannot say. `tooManyTags`: the key holds `maxTagsPerKey`
   * additions. `tooManyOperations`: the write holds more than `maxOperationsPerWrite`. `endOfTime`: a record with
   * the last possible timestamp cannot be replaced.
   */
  reason: Schema.Literals([
    "mapNameLength",
    "keyLength",
    "valueLength",
    "notUnicode",
    "tooManyTags",
    "tooManyOperations",
    "endOfTime"
  ]),
  /** The bound; 0 where there is none. */
  limit: Schema.Int
}) {
  override get message(): string {
    const why =
      this.reason === "notUnicode"
        ? "a lone surrogate, which is no Unicode text"
        : `${this.reason} (limit ${this.limit})`
    return `an operation on ${JSON.stringify(this.mapName)}, key ${JSON.stringify(this.key)}, is invalid: ${why}`
  }
}
