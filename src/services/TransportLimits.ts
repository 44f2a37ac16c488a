/**
 * Every bound of the transport, its default, and what happens at it. The layers take the fields that
 * differ; `TransportLimits.validate` refuses values with which a transport cannot work.
 */
import { type Result, Schema } from "effect"
import { defaultMaxFrameBytes } from "../domain/codec/Frame.ts"
import { type InvalidConfig, require, type Requirement } from "../domain/model/InvalidConfig.ts"

const Count = Schema.Int

const schema = Schema.Struct({
  /** Bytes of a payload, both ways. A larger one closes the connection (received) or fails (sent). Default 8 MiB. */
  maxFrameBytes: Count,
  /** Bytes of the one payload that an accepted connection may send before it is identified. Default 4 KiB. */
  maxUnidentifiedFrameBytes: Count,
  /** Milliseconds an accepted connection has to be identified before it is closed. Default 5000. */
  identifyTimeoutMs: Count,
  /** Accepted connections that may wait for identification; a further one is closed at once. Default 64. */
  maxUnidentifiedConnections: Count,
  /** Milliseconds the rest of a half-received frame may take before the connection is closed. Default 10,000. */
  halfFrameTimeoutMs: Count,
  /** Milliseconds a dial may take. Default 2000. */
  connectTimeoutMs: Count,
  /** Dials in progress; a further one fails with `TooManyDials`. Default 64. */
  maxConcurrentDials: Count,
  /** Messages that may wait to be written on a connection; one more closes it (`outboxFull`). Default 65,536. */
  maxOutboxMessages: Count,
  /** Bytes that may wait to be written on a connection; more close it (`outboxFull`). Default 32 MiB. */
  maxOutboxBytes: Count,
  /** Bulk bytes handed to the socket in one write: an urgent message waits for no more. Default 64 KiB, or one frame. */
  maxWriteBytes: Count,
  /**
   * Events that may wait to be received, in each of two lanes: urgent ones, and all others. At the bound the readers
   * stop, and so, in turn, do the peers' writes. Each connection may overshoot by what one read returned. Default 4096.
   */
  maxInboxEvents: Count,
  /** Bytes of the payloads of those events; as `maxInboxEvents`. Default 32 MiB. */
  maxInboxBytes: Count,
  /** Milliseconds a local close may take to send what is queued and to see the peer close too. Default 1000. */
  lingerMs: Count
})

export type TransportLimits = typeof schema.Type

const defaults: TransportLimits = {
  maxFrameBytes: defaultMaxFrameBytes,
  maxUnidentifiedFrameBytes: 4 * 1024,
  identifyTimeoutMs: 5000,
  maxUnidentifiedConnections: 64,
  halfFrameTimeoutMs: 10_000,
  connectTimeoutMs: 2000,
  maxConcurrentDials: 64,
  maxOutboxMessages: 65_536,
  maxOutboxBytes: 32 * 1024 * 1024,
  maxWriteBytes: 64 * 1024,
  maxInboxEvents: 4096,
  maxInboxBytes: 32 * 1024 * 1024,
  lingerMs: 1000
}

const fields = [
  "maxFrameBytes",
  "maxUnidentifiedFrameBytes",
  "identifyTimeoutMs",
  "maxUnidentifiedConnections",
  "halfFrameTimeoutMs",
  "connectTimeoutMs",
  "maxConcurrentDials",
  "maxOutboxMessages",
  "maxOutboxBytes",
  "maxWriteBytes",
  "maxInboxEvents",
  "maxInboxBytes",
  "lingerMs"
] as const satisfies ReadonlyArray<keyof TransportLimits>

const requirements: ReadonlyArray<Requirement<TransportLimits>> = [
  ...fields.map((field) => ({
    field,
    holds: (limits: TransportLimits) => limits[field] >= 1 && limits[field] <= 0x7fff_ffff,
    wanted: "1…2147483647"
  })),
  {
    field: "maxOutboxBytes",
    holds: (limits) => limits.maxOutboxBytes >= limits.maxFrameBytes + 4,
    wanted: "at least maxFrameBytes and its 4 bytes of length, so that every message can be sent"
  },
  {
    field: "maxUnidentifiedFrameBytes",
    holds: (limits) => limits.maxUnidentifiedFrameBytes <= limits.maxFrameBytes,
    wanted: "at most maxFrameBytes"
  }
]

/** The limits themselves, or the first with which no transport can work. */
const validate = (limits: TransportLimits): Result.Result<TransportLimits, InvalidConfig> =>
  require(limits, requirements)

export const TransportLimits = Object.assign(schema, { defaults, validate })
