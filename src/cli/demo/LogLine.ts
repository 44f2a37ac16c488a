/** A node's JSON log line in words: level and message. Anything else stays as it is. */
import { Option, Schema } from "effect"

const Line = Schema.fromJsonString(Schema.Struct({ level: Schema.String, message: Schema.Unknown }))
const decode = Schema.decodeUnknownOption(Line)

export const readable = (line: string): string =>
  Option.match(decode(line), {
    onNone: () => line,
    onSome: ({ level, message }) => `${level} ${typeof message === "string" ? message : JSON.stringify(message)}`
  })
