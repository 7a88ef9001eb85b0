// The page: shows the view of the present address.
//
//   router     the address                        live        polls and streams while the page is visible
//   api        the HTTP endpoints                 throughput  the counts, for all views
//   invocations, filters                          the list
//   invocation, timeline, journal, value, json    one invocation
//   handlers, workers, server                     the other views
//   actions, dialogs, keys                        what the user can do
//
// A view is a class. It is made with an element and a route, gets other routes of its own by `move`,
// and is closed when the user leaves it. Its `keys` are functions by key.

import { fill, h } from "./dom.js";
import { Handlers } from "./handlers.js";
import { Invocation } from "./invocation.js";
import { Invocations } from "./invocations.js";
import { help, listen } from "./keys.js";
import { currentRoute, go, onMove } from "./router.js";
import { Server } from "./server.js";
import { pulse, showThroughput } from "./throughput.js";
import { Workers } from "./workers.js";

const THEMES = ["system", "dark", "light"];
const SYMBOLS = { system: "◐", dark: "☾", light: "☀" };

const main = document.getElementById("main");
let view = null;
let shown = "";

function move() {
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
  const View = { handlers: Handlers, workers: Workers, server: Server }[route.section];
  if (View) return new View(main);
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

function search() {
  const find = () => document.querySelector("[data-filter=find]");
  if (!find()) go("#/");
  find().focus();
}

document.getElementById("theme").addEventListener("click", nextTheme);
document.getElementById("help").addEventListener("click", help);
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the router uses the fragment
  main.focus();
});
showTheme();
showThroughput(document.getElementById("glance"));
listen(() => view, { "/": search, "?": help, g: nextTheme });
onMove(move);
move();
pulse.start();
