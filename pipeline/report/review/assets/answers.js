"use strict";
// Answers of several models to one task, without their names, rated from A to D.
(() => {
  const { byId, element, text, button, ask, query, act, show, say, undo, key, item, state } = review;
  let chosen = 0; // the answer that a letter rates

  function render(task) {
    byId("detail").hidden = true;
    const input = task.input ? [element("dl", { class: "texts" }, element("dt", {}, "Input"), element("dd", {}, text(task.input)))] : [];
    byId("task").replaceChildren(text(task.instruction, "text instruction"), ...input);
    const open = task.answers.findIndex((one) => !one.rating);
    chosen = open < 0 ? 0 : open;
    answers();
    byId("actions").replaceChildren(
      button("Reference", "p", detail), button("Skip", "s", skip), button("Undo", "u", undo),
      button("Back", "←", () => show(state.place - 1)), button("Next", "→", next),
    );
  }

  function answers() {
    byId("answers").replaceChildren(...item().answers.map((one, place) => {
      const levels = Object.entries(state.start.levels).map(([level, words]) => {
        const made = button(level, "", () => rate(place, level), one.rating === level ? "level yes" : "level");
        made.title = words;
        made.setAttribute("aria-label", `${level}: ${words}`);
        made.setAttribute("aria-pressed", String(one.rating === level));
        return made;
      });
      const made = element("li", { class: place === chosen ? "chosen" : "" },
        element("div", { class: "row" }, element("h2", {}, `Answer ${place + 1}`), ...levels), text(one.text || "(empty)", "text output"));
      made.addEventListener("click", () => { chosen = place; mark(); });
      return made;
    }));
  }

  function mark() {
    [...byId("answers").children].forEach((one, place) => one.classList.toggle("chosen", place === chosen));
  }

  async function rate(place, rating) {
    await say({ did: "rate", answer: place, rating });
    const open = item().answers.findIndex((one) => !one.rating);
    if (open < 0) return next();
    chosen = open;
    answers();
  }

  const next = () => show(state.place + 1);

  async function skip() {
    await say({ did: "skip" });
    await next();
  }

  async function detail() {
    const panel = byId("detail");
    if (panel.hidden) {
      const found = await ask(`detail?${query({ id: item().id })}`);
      panel.replaceChildren(element("h2", {}, "An answer that counts as right"), ...found.outputs.map((one) => text(one)));
    }
    panel.hidden = !panel.hidden;
  }

  key("1 … 9", "choose an answer", () => {});
  for (let place = 0; place < 9; place++) document.addEventListener("keydown", (event) => {
    if (event.key !== String(place + 1) || event.target.closest("input, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!byId("main").hidden && place < item().answers.length) act(() => { chosen = place; mark(); });
  });
  key("a", "right and complete", () => rate(chosen, "A"));
  key("b", "acceptable, with small faults", () => rate(chosen, "B"));
  key("c", "about the task, but with serious errors", () => rate(chosen, "C"));
  key("d", "beside the point, or no answer", () => rate(chosen, "D"));
  key("p", "an answer that counts as right", detail);
  key("s", "skip: say nothing of it", skip);
  key("u", "undo the last rating", undo);
  key("arrowleft", "back", () => show(state.place - 1), true);
  key("arrowright", "next", next, true);
  review.begin(render);
})();
