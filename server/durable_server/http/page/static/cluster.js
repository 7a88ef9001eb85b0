// The cluster: its nodes and partitions, which one poll for all views requests every two seconds. A control
// plane that is no cluster is asked once.
//
// An answer has only the live nodes. So those that this page has seen before are kept: one that is gone is
// shown as gone, not left out.

import * as api from "./api.js";
import { note } from "./dialogs.js";
import { names } from "./format.js";
import { poll } from "./live.js";
import { offer } from "./trouble.js";

const SECONDS = 2;
const BEHIND_FRAMES = 1000;
const BEHIND_SECONDS = 10;
const BEHIND_ANSWERS = 3;
const SERVES_MS = 10_000;
const SETTLED_MS = 10_000;
const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

/**
 * The newest answer, null for a control plane that is no cluster, and whether there was one to the last
 * request. Dispatches "cluster" when they change.
 */
export const cluster = new (class extends EventTarget {
  view = null;
  isKnown = false;
  #poll = null;
  #seen = new Map();
  #answered = new Map();
  #behind = new Map();
  #leads = new Map();
  #last = null;
  #answering = "";

  start() {
    this.#poll = poll(SECONDS, (signal) => this.#load(signal));
  }

  close() {
    this.#poll?.close();
  }

  /** Requests the cluster now. */
  now() {
    this.#poll?.now();
  }

  async #load(signal) {
    try {
      this.#take(await api.cluster(signal));
    } catch (error) {
      // A request that a newer one replaces says nothing.
      if (error.name !== "AbortError") this.#changed(false);
      throw error;
    }
  }

  #changed(isKnown) {
    this.isKnown = isKnown;
    this.dispatchEvent(new Event("cluster"));
  }

  #take(answer) {
    if (!answer.answeringNode) {
      this.#poll.close();
      return;
    }
    const now = performance.now();
    const partitions = (answer.partitions ?? []).map(partitionOf);
    this.#judge(partitions, now);
    this.#settle(partitions, now);
    const live = (answer.nodes ?? []).map((it) => nodeOf(it, now));
    for (const it of live) this.#seen.set(it.name, it);
    this.#switched(answer.answeringNode, live, now);
    const nodes = [...this.#seen.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const it of nodes) {
      it.isLive = it.seen === now;
      it.isServing = it.isLive && now - (this.#answered.get(it.name) ?? -Infinity) < SERVES_MS;
    }
    this.view = {
      systemId: answer.systemId ?? "",
      formatLevel: answer.formatLevel ?? 0,
      standbys: answer.standbyCount ?? 0,
      answering: answer.answeringNode,
      nodes,
      live,
      partitions,
      leaderless: partitions.filter((it) => !it.leader).map((it) => it.number),
    };
    offer(others(live, answer.answeringNode));
    this.#changed(true);
  }

  // Marks the followers that stay far behind. A position is about a second old, so a follower of a busy log
  // is always some frames behind: it must be more than the log gets in a while, and for several answers.
  #judge(partitions, now) {
    const behind = new Map();
    for (const it of partitions) {
      const before = this.#last?.positions.get(it.number) ?? it.position;
      const rate = this.#last ? Math.max(0, it.position - before) / ((now - this.#last.now) / 1000) : 0;
      for (const one of it.followers) {
        const key = `${it.number}/${one.node}`;
        const times = one.lag > Math.max(BEHIND_FRAMES, rate * BEHIND_SECONDS) ? (this.#behind.get(key) ?? 0) + 1 : 0;
        if (times) behind.set(key, times);
        one.isBehind = times >= BEHIND_ANSWERS;
      }
    }
    this.#behind = behind;
    this.#last = { now, positions: new Map(partitions.map((it) => [it.number, it.position])) };
  }

  // Marks the partitions that have the same leader for a while.
  #settle(partitions, now) {
    for (const it of partitions) {
      const known = this.#leads.get(it.number);
      if (known?.leader !== it.leader) this.#leads.set(it.number, { leader: it.leader, since: now });
      it.isSettled = now - this.#leads.get(it.number).since > SETTLED_MS;
    }
  }

  // A proxy may spread requests over the nodes. That another one answers is said only if the one before
  // cannot, or will not for long.
  #switched(name, live, now) {
    const before = this.#answering;
    const left = before && !live.some((it) => it.name === before && !it.stopping);
    if (left && name !== before) note(`Node ${before} is ${this.#seen.get(before)?.stopping ? "stopping" : "gone"}. Node ${name} answers this page now.`);
    this.#answering = name;
    this.#answered.set(name, now);
  }
})();

function nodeOf(it, now) {
  return {
    name: it.name ?? "",
    address: it.address ?? "",
    httpAddress: it.httpAddress ?? "",
    version: it.version ?? "",
    formatLevel: it.formatLevel ?? 0,
    draining: it.draining ?? false,
    stopping: it.stopping ?? false,
    led: it.ledPartitions ?? [],
    followed: it.followedCount ?? 0,
    seen: now,
    time: Date.now(),
  };
}

function partitionOf(it) {
  return {
    number: it.partition ?? 0,
    leader: it.hasLeader ? it.leader : "",
    epoch: Number(it.epoch ?? 0),
    position: Number(it.position ?? 0),
    followers: (it.followers ?? []).map((one) => ({ node: one.node, lag: Number(one.lag ?? 0), isBehind: false })),
  };
}

// The pages of the other nodes. There are none behind a proxy, which chooses the node itself: then the
// address of this page is not that of the node that answers. Processes of one machine share an address.
function others(live, answering) {
  const own = live.find((it) => it.name === answering)?.httpAddress;
  if (location.protocol !== "http:" || !own || canonical(own) !== canonical(location.host)) return [];
  return live.filter((it) => it.httpAddress && it.httpAddress !== own && isLocal(it.httpAddress) === isLocal(location.host));
}

function canonical(address) {
  return isLocal(address) ? `loopback:${address.slice(address.lastIndexOf(":") + 1)}` : address;
}

function isLocal(address) {
  return LOOPBACK.has(address.slice(0, address.lastIndexOf(":")));
}

/**
 * Returns what is wrong with a cluster, of whose partitions some are missing from the counts. Each warning
 * has a `key`, `words`, whether it is `bad`, and the query that shows its partitions.
 */
export function warningsOf(view, missing) {
  const found = [];
  const add = (key, bad, words, query = {}) => found.push({ key, bad, words, query });
  if (view.leaderless.length) {
    add("leaderless", true, `No node leads ${names(view.leaderless, "partition")} now: requests for ${pronoun(view.leaderless)} wait, lists and counts lack ${pronoun(view.leaderless)}.`, { show: "leaderless" });
  }
  const silent = view.partitions.filter((it) => it.leader && missing.includes(it.number));
  if (silent.length) {
    // The counts are older than the view. So who did not answer is only known where the leader is settled.
    const nodes = silent.every((it) => it.isSettled) ? [...new Set(silent.map((it) => it.leader))].sort() : [];
    const who = nodes.length ? names(nodes, "node") : silent.length > 1 ? "their leaders" : "its leader";
    add("missing", true, `Lists and counts lack ${names(silent.map((it) => it.number), "partition")}: ${who} did not answer.`, nodes.length === 1 ? { node: nodes[0] } : {});
  }
  const versions = Map.groupBy(view.live, (it) => it.version);
  if (versions.size > 1) {
    const each = [...versions].map(([version, nodes]) => `${names(nodes.map((it) => it.name), "node")}: ${version}`);
    add("versions", false, `The nodes run different versions: ${each.join("; ")}.`);
  }
  const behind = view.partitions.flatMap((it) => it.followers.filter((one) => one.isBehind).map((one) => ({ ...one, number: it.number })));
  for (const [node, all] of Map.groupBy(behind, (it) => it.node)) {
    add(`behind ${node}`, false, `Node ${node} is far behind as a follower of ${names(all.map((it) => it.number), "partition")}.`, { show: "behind" });
  }
  return found;
}

function pronoun(all) {
  return all.length > 1 ? "them" : "it";
}
