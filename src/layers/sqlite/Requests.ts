/**
 * What the store's thread is asked, and what it answers. These are plain values, because they pass between threads
 * by structured clone.
 */
import type { Epoch } from "../../domain/data/Epoch.ts"
import type { InvalidOperation } from "../../domain/data/InvalidOperation.ts"
import type { MapOperation } from "../../domain/data/MapOperation.ts"
import type { Timestamp } from "../../domain/data/Timestamp.ts"
import type { DeltaOp, MapStateChunk } from "../../domain/wire/PartitionMessages.ts"
import type { MapChange } from "../../services/MapStore.ts"
import type { KeyDigest, KeyName } from "../../domain/data/KeyName.ts"
import type { PartitionSize } from "../../services/PartitionStore.ts"
import type { FileProblem } from "./SqliteFile.ts"
import type { Position } from "./RecordRows.ts"

interface At {
  readonly partitionId: number
}

/** Requests that change nothing. */
export type Reading =
  | { readonly type: "partitions" }
  | ({ readonly type: "size" } & At)
  | ({ readonly type: "read"; readonly after: Position; readonly maxBytes: number } & At)
  | ({ readonly type: "digests"; readonly nodes: ReadonlyArray<number> } & At)
  | ({ readonly type: "keyDigests"; readonly after: Position; readonly node: number } & At)
  | ({ readonly type: "records"; readonly keys: ReadonlyArray<KeyName> } & At)
  | ({ readonly type: "note" } & At)
  | ({ readonly type: "get"; readonly key: KeyName } & At)
  | ({ readonly type: "values"; readonly after: Position; readonly map: Omit<KeyName, "key"> } & At)

/** Requests that change a partition. */
export type Changing =
  | ({ readonly type: "merge"; readonly chunk: MapStateChunk; readonly epoch: Epoch } & At)
  | ({ readonly type: "apply"; readonly deltas: ReadonlyArray<DeltaOp>; readonly epoch: Epoch } & At)
  | ({ readonly type: "drop"; readonly ifVersion: number | undefined } & At)
  | ({
      readonly type: "collect"
      readonly epoch: Epoch
      /** `undefined`: tombstones; else also what is gone, of these keys or of all. */
      readonly gone: ReadonlyArray<KeyName> | "all" | undefined
    } & At)
  | ({ readonly type: "setNote"; readonly note: Uint8Array } & At)
  | ({ readonly type: "write"; readonly operations: ReadonlyArray<MapOperation>; readonly reading: Timestamp } & At)

export type Request = Reading | Changing

/** A page of what is read a page at a time; `next` is where the following one begins, if there is one. */
export interface Page<A> {
  readonly items: ReadonlyArray<A>
  readonly next: Position | undefined
}

export interface MergeAnswer {
  readonly changed: number
  readonly refused: number
  readonly latest: Timestamp | undefined
  readonly changes: ReadonlyArray<DeltaOp>
}

/** The answer to each request. */
export interface Answers {
  readonly partitions: ReadonlyArray<PartitionSize>
  readonly size: PartitionSize
  readonly read: Page<MapStateChunk>
  readonly digests: ReadonlyArray<number>
  readonly keyDigests: Page<KeyDigest>
  readonly records: ReadonlyArray<DeltaOp>
  readonly note: Uint8Array | undefined
  /** Encoded records. */
  readonly get: ReadonlyArray<Uint8Array>
  readonly values: Page<Uint8Array>
  readonly merge: MergeAnswer
  readonly apply: MergeAnswer
  readonly drop: boolean
  readonly collect: number
  readonly setNote: undefined
  readonly write: ReadonlyArray<MapChange>
}

/** Why a request was not carried out. */
export type Refusal =
  | { readonly _tag: "File"; readonly problem: FileProblem }
  | { readonly _tag: "MalformedRecords"; readonly mapName: string; readonly reason: string }
  | {
      readonly _tag: "InvalidOperation"
      readonly mapName: string
      readonly key: string
      readonly reason: InvalidOperation["reason"]
      readonly limit: number
    }
  /** A bug, with its stack. */
  | { readonly _tag: "Defect"; readonly detail: string }

export type Outcome =
  | { readonly ok: true; readonly answer: Answers[keyof Answers] }
  | { readonly ok: false; readonly refusal: Refusal }

export type ToThread =
  | { readonly type: "requests"; readonly requests: ReadonlyArray<readonly [id: number, request: Request]> }
  | { readonly type: "close" }

export type FromThread =
  | { readonly type: "opened" }
  | { readonly type: "failed"; readonly problem: FileProblem }
  | { readonly type: "outcomes"; readonly outcomes: ReadonlyArray<readonly [id: number, outcome: Outcome]> }
