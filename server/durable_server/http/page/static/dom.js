// Making and keeping elements.
//
// Rule: text becomes text nodes, always. Nothing here, or anywhere on the page, makes HTML of a string;
// the document's policy forbids it too. Sizes that are computed are set by properties of `style`,
// because the policy also forbids style attributes.

const SVG = "http://www.w3.org/2000/svg";

/** Makes an element. `on` holds listeners, `data` data attributes; `false` and null leave out. */
export function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** Makes an element of SVG. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...shown(children));
  return element;
}

function shown(children) {
  return children.flat().filter((it) => it !== null && it !== undefined && it !== false);
}

/** Replaces what is in an element. */
export function fill(element, ...children) {
  element.replaceChildren(...shown(children));
  return element;
}

/** Sets a text, if it is another one: so that what a reader has selected stays selected. */
export function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

/**
 * Makes the children of `parent` follow `items`: what is there already is updated and keeps its focus
 * and its place on the screen, what is new is made. `made(item)` returns an element, `updated(element,
 * item)` brings it up to date.
 */
export function follow(parent, items, keyOf, made, updated) {
  const old = new Map();
  for (const child of [...parent.children]) old.set(child.dataset.key, child);
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let element = old.get(key);
    if (element) old.delete(key);
    else {
      element = made(item);
      element.dataset.key = key;
    }
    updated(element, item);
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
  for (const element of old.values()) element.remove();
}
