/** What the outcome of a question to the owner of a partition means to whoever asked it, as typed errors. */
import { Effect, Option } from "effect"
import type { InvalidOperation } from "../../domain/data/InvalidOperation.ts"
import type { PartitionMapPayload } from "../../domain/model/PartitionMap.ts"
import type { Outcome } from "../../domain/replication/DataCommand.ts"
import {
  NotEnoughReplicas,
  NotOwner,
  OutcomeUnknown,
  Overloaded,
  OwnerStoreFailed,
  PartitionUnavailable
} from "../../services/MapErrors.ts"
import type { ReadError, WriteError } from "../../services/PartitionedMaps.ts"

/** What an error tells of the question. */
export interface Meaning {
  readonly partitionId: number
  readonly minCopies: number
  readonly partitionMap: Effect.Effect<PartitionMapPayload>
  /** The operation that the owner's store calls invalid, if its detail names a rule for operations. */
  readonly invalid: (detail: string) => Option.Option<InvalidOperation>
}

type Refusal = Extract<Outcome, { readonly _tag: "Refused" }>

const refused = (
  { invalid, minCopies, partitionId, partitionMap }: Meaning,
  { copies, detail, reason }: Refusal
): Effect.Effect<never, ReadError | NotEnoughReplicas> => {
  switch (reason) {
    case "notOwner":
      return Effect.flatMap(partitionMap, (map) => Effect.fail(new NotOwner({ partitionId, partitionMap: map })))
    case "recovering":
    case "scanLost":
      return Effect.fail(new PartitionUnavailable({ partitionId, detail: detail === "" ? reason : detail }))
    case "overloaded":
      return Effect.fail(new Overloaded({ partitionId, detail }))
    case "notEnoughReplicas":
      return Effect.fail(new NotEnoughReplicas({ partitionId, copies, minCopies }))
    case "invalid": {
      const operation = invalid(detail)
      return Option.isSome(operation)
        ? Effect.fail(operation.value)
        : Effect.fail(new OwnerStoreFailed({ partitionId, reason: "failed", detail }))
    }
    case "storeFailed":
      return Effect.fail(new OwnerStoreFailed({ partitionId, reason: "failed", detail }))
    case "storeFull":
      return Effect.fail(new OwnerStoreFailed({ partitionId, reason: "full", detail }))
  }
}

/** Of a write. */
export const ofWrite =
  (meaning: Meaning) =>
  (outcome: Outcome): Effect.Effect<void, WriteError> => {
    const { partitionId } = meaning
    switch (outcome._tag) {
      case "Done":
        return Effect.void
      case "Refused":
        return refused(meaning, outcome)
      case "Unavailable":
        return Effect.fail(new PartitionUnavailable({ partitionId, detail: outcome.detail }))
      case "Unknown":
        return Effect.fail(new OutcomeUnknown({ partitionId, detail: outcome.detail }))
      case "Value":
      case "Page":
        return Effect.die(new Error(`a write was answered with a ${outcome._tag}`))
    }
  }

/** Of a read that has not got what it asked for. */
export const ofUnread =
  (meaning: Meaning) =>
  (outcome: Outcome): Effect.Effect<never, ReadError> => {
    switch (outcome._tag) {
      case "Refused":
        return Effect.catchTag(refused(meaning, outcome), "NotEnoughReplicas", (error) => Effect.die(error))
      case "Unavailable":
        return Effect.fail(new PartitionUnavailable({ partitionId: meaning.partitionId, detail: outcome.detail }))
      default:
        return Effect.die(new Error(`a read was answered with ${outcome._tag}`))
    }
  }
