// The page: shows the view of the present address.
//
//   router     the address                        live        polls and streams while the page is visible
//   api        the HTTP endpoints                 throughput  the counts, for all views
//   trouble    the lines above every view         cluster     the nodes and partitions, for all views
//   invocations, filters                          the list
//   invocation, timeline, journal, value, json    one invocation
//   diff, run_diff                                two of them, side by side
//   codec      decodes values
//   handlers, workers, deployments                the other views
//   server, nodes, partitions                     the control plane
//   actions, dialogs, keys                        what the user can do
//   session, sign_in                              who the user is
//
// A view is a class. It is made with an element and a route, gets other routes of its own by `move`,
// and is closed when the user leaves it. Its `keys` are functions by key.

import { cluster, warningsOf } from "./cluster.js";
import { endpoint, isOffered, toggle } from "./codec.js";
import { Deployments } from "./deployments.js";
import { closeDialogs } from "./dialogs.js";
import { Diff } from "./diff.js";
import { fill, h } from "./dom.js";
import { Handlers } from "./handlers.js";
import { Invocation } from "./invocation.js";
import { Invocations } from "./invocations.js";
import { help, listen } from "./keys.js";
import { address, currentRoute, go, onMove } from "./router.js";
import { Server } from "./server.js";
import { load, may, session, takePlace } from "./session.js";
import { showSignIn, showWho } from "./sign_in.js";
import { pulse, showThroughput } from "./throughput.js";
import { warn } from "./trouble.js";
import { Workers } from "./workers.js";

const THEMES = ["system", "dark", "light"];
const SYMBOLS = { system: "◐", dark: "☾", light: "☀" };

const main = document.getElementById("main");
let view = null;
let shown = "";
let signedOut = false;

function move() {
  if (signedOut) return;
  const route = currentRoute();
  const name = `${route.section}/${route.id}`;
  if (view && name === shown) {
    view.move(route);
    return;
  }
  view?.close();
  shown = name;
  document.title = "Durable";
  for (const link of document.querySelectorAll("nav.tabs a")) {
    if (link.dataset.section === route.section) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  view = createView(route);
  scrollTo(0, 0);
}

function createView(route) {
  if (route.section === "invocations") return route.id ? new Invocation(main, route) : new Invocations(main, route);
  const View = { diff: Diff, handlers: Handlers, workers: Workers, deployments: Deployments, server: Server }[route.section];
  if (View) return new View(main, route);
  fill(main, h("p", { class: "empty" }, "There is no such place here. ", h("a", { href: "#/" }, "See the invocations")));
  return null;
}

function theme() {
  return document.documentElement.dataset.theme ?? "system";
}

function showTheme() {
  const button = document.getElementById("theme");
  button.textContent = SYMBOLS[theme()];
  button.title = `Colours: ${theme()} (g)`;
  button.setAttribute("aria-label", `Colours: ${theme()}. Change`);
}

function nextTheme() {
  const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
  if (next === "system") {
    delete document.documentElement.dataset.theme;
    localStorage.removeItem("durable.theme");
  } else {
    document.documentElement.dataset.theme = next;
    localStorage.setItem("durable.theme", next);
  }
  showTheme();
}

function showCodec() {
  const button = document.getElementById("codec");
  button.hidden = !isOffered;
  button.textContent = endpoint() ? "Aa" : "01";
  const words = endpoint() ? `Values are decoded by ${endpoint()}` : "Values are shown as they are stored";
  button.title = words;
  button.setAttribute("aria-label", `${words}. Change`);
}

function search() {
  if (signedOut) return;
  const find = () => document.querySelector("[data-filter=find]");
  if (!find()) go("#/");
  find().focus();
}

// Without an answer nothing is known to be wrong: that there is none is said already.
function showWarnings() {
  const found = cluster.isKnown ? warningsOf(cluster.view, pulse.missing) : [];
  warn(found.map((it) => ({ ...it, address: address("/server", it.query) })));
}

document.getElementById("theme").addEventListener("click", nextTheme);
document.getElementById("codec").addEventListener("click", () => {
  toggle();
  location.reload(); // all values are rendered anew
});
document.getElementById("help").addEventListener("click", help);
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the router uses the fragment
  main.focus();
});
showTheme();
showCodec();
showThroughput(document.getElementById("glance"));
listen(() => (signedOut ? null : view), { "/": search, "?": help, g: nextTheme });
onMove(move);
pulse.addEventListener("counts", showWarnings);
cluster.addEventListener("cluster", showWarnings);
addEventListener("signedout", (event) => signOut(event.detail));
start();

async function start() {
  try {
    await load();
  } catch {
    // No answer: the views say so, and go on when there is one.
  }
  if (session.identity === null) {
    signOut();
    return;
  }
  showWho(document.getElementById("who"));
  const place = takePlace();
  if (place && !location.hash) history.replaceState(null, "", place);
  move();
  if (may("GetStats")) pulse.start();
  if (may("GetCluster")) cluster.start();
}

// Nothing is shown or requested any more of what only who was signed in may see.
function signOut(words) {
  if (signedOut) return;
  signedOut = true;
  view?.close();
  pulse.close();
  cluster.close();
  closeDialogs();
  showSignIn(main, words);
}
