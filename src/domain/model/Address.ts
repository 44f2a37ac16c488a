/** Addresses of nodes: `host:port`, with an IPv6 host in brackets. */
import { Result, Schema } from "effect"

export class InvalidAddress extends Schema.TaggedError<InvalidAddress>()("InvalidAddress", {
  address: Schema.String
}) {
  override get message(): string {
    return `"${this.address}" is no address; write host:port, for example 10.0.0.1:9090 or [::1]:9090`
  }
}

export interface Address {
  readonly host: string
  /** 1…65535. */
  readonly port: number
}

// A bracketed IPv6 address, or a name or IPv4 address without colons.
const pattern = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/

/** Reads `host:port`. */
export const parseAddress = (address: string): Result.Result<Address, InvalidAddress> => {
  const match = pattern.exec(address)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  return host === undefined || port < 1 || port > 65_535
    ? Result.fail(new InvalidAddress({ address }))
    : Result.succeed({ host, port })
}

/** Writes `host:port`; the inverse of {@link parseAddress}. */
export const formatAddress = (host: string, port: number): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`
