/**
 * What a path has seen so far, as far as it decides whether a later step breaks a rule; and the rules, of which each
 * is about one transition and the history before it. A value: paths part, and each has its own.
 *
 * 1. A view's version never falls in a process.
 * 2. One content for each version of a lineage.
 * 3. One acting master in each term of a lineage.
 * 4. Where only one side of a split may go on: of two settled views of a lineage the later continues the earlier, and
 *    no lineage is settled beside another while nobody was restarted.
 * 5. No voter of a settled view was put out by one before it.
 */
import { type ClusterState, isActing, type Joined } from "../../domain/protocol/ClusterState.ts"
import { type ClusterView, incarnationOf, isVoter } from "../../domain/protocol/ClusterView.ts"
import { termOf } from "../../domain/protocol/Version.ts"
import { describeMembers, describeVersion } from "../simulation/Transcript.ts"

export interface History {
  /** By lineage and version: content, and the view it was made from. */
  readonly views: ReadonlyMap<string, { readonly content: string; readonly parent: ClusterView["parent"] }>
  /** Settled views by lineage, lowest version first. */
  readonly settled: ReadonlyMap<string, ReadonlyArray<ClusterView>>
  /** By lineage and term: who acted. */
  readonly actors: ReadonlyMap<string, string>
  readonly hasRestarted: boolean
}

export const empty: History = { views: new Map(), settled: new Map(), actors: new Map(), hasRestarted: false }

/** The history, or the rule that a step has broken. */
export type Judgement = { readonly history: History } | { readonly violation: string }

const keyOf = (lineage: string, version: number): string => `${lineage} ${describeVersion(version)}`
const joinedOf = (state: ClusterState): Joined | undefined => (state.phase._tag === "Joined" ? state.phase : undefined)
const nameOf = (state: ClusterState): string => `${state.self.nodeId}@${state.self.incarnation}`
const votersIn = (view: ClusterView): ReadonlyArray<string> =>
  view.members.filter(isVoter).map((member) => `${member.nodeId}@${incarnationOf(member)}`)

// Of two views made in one step only the last is seen: a chain that is broken by one between the two counts.
const continues = (history: History, later: ClusterView, earlier: ClusterView): boolean => {
  const wanted = keyOf(earlier.lineage, earlier.version)
  let key = keyOf(later.lineage, later.version)
  let isUnseenBetween = false
  while (key !== wanted) {
    const known = history.views.get(key)
    if (known === undefined) return isUnseenBetween
    isUnseenBetween = known.parent.lineage === earlier.lineage && known.parent.version > earlier.version
    key = keyOf(known.parent.lineage, known.parent.version)
  }
  return true
}

const withView = (history: History, { view }: Joined): Judgement => {
  const key = keyOf(view.lineage, view.version)
  const voters = view.base.voters.map((voter) => `${voter.nodeId}@${voter.incarnation}`).join()
  const content = `${describeMembers(view.members)} of ${voters}`
  const known = history.views.get(key)
  if (known !== undefined) {
    return known.content === content
      ? { history }
      : { violation: `two contents of ${key}: ${known.content} / ${content}` }
  }
  return { history: { ...history, views: new Map(history.views).set(key, { content, parent: view.parent }) } }
}

const withSettled = (history: History, state: ClusterState, { view }: Joined): Judgement => {
  const key = keyOf(view.lineage, view.version)
  const before = history.settled.get(view.lineage) ?? []
  if (before.some(({ version }) => version === view.version)) return { history }
  if (before.length === 0 && history.settled.size > 0 && !history.hasRestarted && !state.policy.forks) {
    return { violation: `${key} is settled beside ${[...history.settled.keys()].join()}` }
  }
  for (const other of before) {
    const otherKey = keyOf(other.lineage, other.version)
    const [earlier, later] = other.version < view.version ? [other, view] : [view, other]
    if (!state.policy.forks && !continues(history, later, earlier))
      return { violation: `settled views conflict: ${otherKey} and ${key}` }
    const after = new Set(votersIn(later))
    const put = votersIn(earlier).filter((name) => !after.has(name))
    const last = [...before, view].toSorted((a, b) => a.version - b.version)
    const back = last.find((one) => one.version > later.version && votersIn(one).some((name) => put.includes(name)))
    if (back !== undefined) {
      return {
        violation: `${put.join()} is back in ${keyOf(back.lineage, back.version)}, and was put out in ${keyOf(later.lineage, later.version)}`
      }
    }
  }
  const settled = [...before, view].toSorted((a, b) => a.version - b.version)
  return { history: { ...history, settled: new Map(history.settled).set(view.lineage, settled) } }
}

const withActor = (history: History, state: ClusterState, { view }: Joined): Judgement => {
  const key = `${view.lineage} in term ${termOf(view.version)}`
  const other = history.actors.get(key)
  const name = nameOf(state)
  if (other === undefined) return { history: { ...history, actors: new Map(history.actors).set(key, name) } }
  return other === name ? { history } : { violation: `two masters of ${key}: ${other} and ${name}` }
}

/** Judges one transition. */
export const judge = (history: History, before: ClusterState, after: ClusterState): Judgement => {
  const joined = joinedOf(after)
  if (joined === undefined || after.phase === before.phase) return { history }
  const old = joinedOf(before)
  let now = history
  if (joined.view !== old?.view) {
    if (joined.view.version < before.lastVersion) {
      return { violation: `the view version of ${nameOf(after)} falls to ${describeVersion(joined.view.version)}` }
    }
    const judged = withView(now, joined)
    if ("violation" in judged) return judged
    now = judged.history
  }
  if (isActing(after, joined)) {
    const judged = withActor(now, after, joined)
    if ("violation" in judged) return judged
    now = judged.history
  }
  return joined.settled && (old === undefined || !old.settled || old.view !== joined.view)
    ? withSettled(now, after, joined)
    : { history: now }
}

/** What of a history a future depends on, as text: the views that have settled. */
export const historyText = ({ actors, hasRestarted, settled }: History): string =>
  `${hasRestarted} ${[...settled].map(([lineage, views]) => `${lineage}:${views.map(({ version }) => version).join("+")}`).join()} ${[...actors].join()}`
