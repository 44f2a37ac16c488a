/** A node cannot listen where it was told to. */
import { Schema } from "effect"

const advice: Readonly<Record<string, string>> = {
  EADDRINUSE: "another process listens there: stop it, or choose another port (0 takes any free one)",
  EADDRNOTAVAIL: "this host has no such address: bind one of its own, or 0.0.0.0 for all of them",
  EACCES: "this user may not bind that port: choose one above 1023",
  ENOTFOUND: "the host's name cannot be resolved: write an address"
}

/** `code` is the operating system's, for example `EADDRINUSE`. */
export class TransportBindError extends Schema.TaggedError<TransportBindError>()("TransportBindError", {
  address: Schema.String,
  code: Schema.String
}) {
  override get message(): string {
    return `cannot listen on ${this.address} (${this.code}): ${advice[this.code] ?? "see the code"}`
  }
}
