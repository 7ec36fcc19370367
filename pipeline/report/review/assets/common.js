"use strict";
// What both pages share: elements, requests, the queue of things with its pages, keys.
const review = (() => {
  const AHEAD = 20; // things fetched at once
  const byId = (id) => document.getElementById(id);
  const state = { reviewer: "", total: 0, place: 0, done: 0, items: new Map(), start: {} };
  const keys = new Map(); // key: [what it does, in words, the function, whether holding it down repeats it]
  let shown = () => {};
  let acting = Promise.resolve(); // what is typed fast is done in its order

  // An element; text is only ever put in as text.
  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
  }

  const text = (content, kind = "text") => element("div", { class: kind, dir: "auto" }, content);

  function button(label, key, does, kind = "") {
    const made = element("button", { type: "button", class: kind }, label, key ? element("kbd", {}, key) : null);
    made.addEventListener("click", (event) => {
      if (event.detail > 0) made.blur(); // after a click, the space bar means what it means everywhere on the page
      act(does);
    });
    return made;
  }

  async function ask(path, sent) {
    let response;
    try {
      response = await fetch(path, sent && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(sent) });
    } catch {
      throw new Error("The server does not answer. Start `sprout review` again; your verdicts are on disk.");
    }
    const kind = response.headers.get("Content-Type") ?? "";
    const found = kind.includes("json") ? await response.json() : { error: `The server says ${response.status}. Open the address it prints.` };
    if (found.error) throw Object.assign(new Error(found.error), { changed: found.changed });
    return found;
  }

  const query = (fields) => new URLSearchParams({ reviewer: state.reviewer, ...fields }).toString();

  function trouble(message) {
    byId("trouble").textContent = message;
    byId("trouble").hidden = !message;
  }

  // One thing after the other; the last one's trouble stays in sight until something works.
  function act(does) {
    acting = acting.then(async () => {
      try {
        await does();
        trouble("");
      } catch (error) {
        trouble(error.message);
        if (error.changed) {
          state.items.clear();
          await show(state.place).catch(() => {});
          trouble(error.message);
        }
      }
    });
    return acting;
  }

  async function fetched(place) {
    if (!state.items.has(place)) {
      const first = Math.max(0, place - 2);
      const found = await ask(`items?${query({ first, count: AHEAD })}`);
      found.items.forEach((item, number) => state.items.set(found.first + number, item));
    }
    return state.items.get(place);
  }

  async function show(place) {
    const at = Math.min(Math.max(0, place), state.total);
    const item = at < state.total ? await fetched(at) : null;
    state.place = at;
    byId("where").textContent = item ? `${(at + 1).toLocaleString("en")} of ${state.total.toLocaleString("en")}` : "";
    byId("bar").style.width = `${(100 * state.done) / state.total}%`;
    byId("bar").parentElement.setAttribute("aria-valuenow", state.done);
    byId("bar").parentElement.setAttribute("aria-valuemax", state.total);
    byId("main").hidden = !item;
    byId("end").hidden = Boolean(item);
    if (item) shown(item);
    else ended();
    document.documentElement.dataset.place = at;
  }

  function ended() {
    const left = state.total - state.done;
    byId("end").replaceChildren(
      element("h1", {}, left ? "The end of the list" : "All done"),
      element("p", {}, left
        ? `You have seen all of them; ${left.toLocaleString("en")} still lack your verdict.`
        : "Thank you. Every answer is on disk; `sprout review RUN --figures` prints what was found."),
      element("div", { class: "row" }, button("Back", "←", () => show(state.place - 1)), button("Undo", "u", undo)),
    );
  }

  const item = () => state.items.get(state.place);

  // Say something of the thing in sight, and put what the server then has of it in its place.
  async function say(fields) {
    const found = await ask("do", { reviewer: state.reviewer, id: item().id, seen: item().seen, ...fields });
    state.items.set(found.place, found.item);
    state.done = found.done;
    return found;
  }

  async function undo() {
    const found = await ask("undo", { reviewer: state.reviewer });
    if (found.place === null) throw new Error("There is nothing to undo.");
    state.items.clear(); // one name may have undone many
    state.items.set(found.place, found.item);
    state.done = found.done;
    await show(found.place);
  }

  function key(name, words, does, repeats = false) {
    keys.set(name, [words, does, repeats]);
  }

  const KEY_NAMES = { " ": "space", arrowleft: "←", arrowright: "→" };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
    if (byId("main").hidden && byId("end").hidden) return;
    const target = event.target;
    if (target.closest("input, textarea, select, [contenteditable]")) return; // who types is not interrupted
    if (byId("form")?.hidden === false) { // nor is who has just typed, and now chooses a button
      if (event.key === "Escape") review.close();
      return;
    }
    if (target.closest("button, summary, a") && (event.key === " " || event.key === "Enter")) return;
    const found = keys.get(event.key.toLowerCase());
    if (!found) return;
    event.preventDefault();
    if (event.repeat && !found[2]) return; // a key held down judges one task, not fifty
    if (!byId("main").hidden || ["arrowleft", "u"].includes(event.key.toLowerCase())) act(found[1]);
  });

  async function begin(whenShown) {
    shown = whenShown;
    const list = byId("keys").querySelector("dl");
    for (const [name, [words]] of keys) list.append(element("dt", {}, element("kbd", {}, KEY_NAMES[name] ?? name)), element("dd", {}, words));
    state.reviewer = new URLSearchParams(location.search).get("reviewer")?.trim() ?? "";
    const form = byId("name");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      state.reviewer = byId("reviewer").value.trim();
      if (!state.reviewer) return;
      history.replaceState(null, "", `?${new URLSearchParams({ reviewer: state.reviewer })}`);
      byId("reviewer").blur();
      act(enter);
    });
    if (state.reviewer) return act(enter);
    form.hidden = false;
    byId("reviewer").focus();
  }

  async function enter() {
    byId("name").hidden = true;
    state.start = await ask(`start?${query({})}`);
    state.total = state.start.total;
    state.done = state.start.done;
    byId("who").textContent = ` · ${state.reviewer}`;
    byId("title").textContent = state.start.title;
    await show(state.start.place);
    document.documentElement.dataset.ready = "yes";
  }

  return { byId, element, text, button, ask, query, act, show, say, undo, key, item, begin, state, trouble };
})();
