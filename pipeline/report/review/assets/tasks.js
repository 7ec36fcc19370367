"use strict";
// One task at a time: its texts, three questions, and what else can be done with it.
(() => {
  const { byId, element, text, button, ask, query, show, say, undo, key, item, state } = review;
  const QUESTIONS = [
    ["instruction", "The instruction is a valid task"],
    ["input", "The input fits it, or none is needed"],
    ["output", "The output is right"],
  ];
  const next = () => show(state.place + 1);
  const verdict = () => item().verdict ?? { instruction: null, input: null, output: null };

  function labelled(label, content, kind = "text") {
    return content ? [element("dt", {}, label), element("dd", {}, text(content, kind))] : [];
  }

  // The texts of a task; those that somebody has changed are shown as they were, too.
  function texts(task) {
    const list = element("dl", { class: "texts" });
    const several = task.instances.length > 1;
    task.instances.forEach((one, number) => {
      const name = several ? ` ${number + 1}` : "";
      list.append(...labelled(`Input${name}`, one.input), ...labelled(`Output${name}`, one.output || "(empty)", "text output"));
    });
    return [text(task.instruction, "text instruction"), list];
  }

  function marks(task) {
    const found = [];
    if (task.classification) found.push(element("span", { class: "tag" }, "classification"));
    if (task.rejected) found.push(element("span", { class: "tag no" }, `rejected: ${task.rejected}`));
    if (task.dropped) found.push(element("span", { class: "tag no" }, `dropped by ${task.dropped_by}${task.dropped === "dropped_by_review" ? "" : `: ${task.dropped}`}`));
    for (const tag of task.tags) found.push(element("span", { class: "tag" }, tag));
    return found;
  }

  // Whoever goes through the buttons with Tab stays where they were.
  function refocused(draw) {
    const focused = document.activeElement, parent = focused?.parentElement;
    const place = parent && ["questions", "actions"].includes(parent.id) ? [...parent.children].indexOf(focused) : -1;
    draw();
    if (place >= 0) parent.children[place]?.focus();
  }

  function render(task) {
    refocused(() => draw(task));
  }

  function draw(task) {
    review.close();
    byId("detail").hidden = true;
    const notes = task.notes.map((note) => element("p", { class: "said" }, element("b", {}, note.reviewer), ` ${note.text}`));
    const changed = task.before ? [element("details", {}, element("summary", {}, "Changed; before"), ...texts(task.before))] : [];
    byId("task").replaceChildren(element("p", { class: "marks" }, ...marks(task)), ...texts(task), ...changed, ...notes);
    byId("task").classList.toggle("dropped", Boolean(task.dropped));
    questions();
    actions();
  }

  function questions() {
    const said = verdict();
    byId("questions").replaceChildren(
      ...QUESTIONS.map(([name, words], number) => {
        const answer = { true: "yes", false: "no", null: "open" }[said[name]];
        const made = button(words, String(number + 1), () => toggle(name), `question ${answer}`);
        made.prepend(element("i", { "aria-hidden": "true" }, { yes: "✓", no: "✗", open: "·" }[answer]));
        made.setAttribute("aria-label", `${words}: ${answer === "open" ? "not answered" : answer}`);
        return made;
      }),
    );
    const wrong = QUESTIONS.some(([name]) => said[name] === false);
    byId("hint").textContent = item().dropped
      ? "Dropped. Press 1, 2 or 3 to say what is wrong, space for the next task, d to keep it after all."
      : wrong ? "Press space if the rest is good." : "Press space if all is good, or 1, 2, 3 for what is not.";
  }

  function actions() {
    const wrong = QUESTIONS.some(([name]) => verdict()[name] === false);
    const made = [
      button(item().dropped ? "Next" : wrong ? "Rest is good, next" : "All good, next", "space", good, "main"),
      button(item().dropped ? "Keep" : "Drop", "d", drop),
      button("Edit", "e", () => review.edit(item())),
      button("Note", "n", () => review.note()),
      button("Tags", "t", () => review.tags(item())),
    ];
    if (state.start.repairs) made.push(button("Repair", "r", () => review.repair(item())));
    made.push(
      button("Prompt, neighbours", "p", detail),
      button("Skip", "s", skip),
      button("Undo", "u", undo),
      button("Back", "←", () => show(state.place - 1)),
      button("Next", "→", next),
    );
    byId("actions").replaceChildren(...made);
  }

  async function toggle(name) {
    const said = verdict();
    await say({ did: "judge", verdict: { ...said, [name]: said[name] === false } });
    await show(state.place);
  }

  async function good() {
    if (!item().dropped) {
      const said = verdict();
      const full = Object.fromEntries(QUESTIONS.map(([name]) => [name, said[name] ?? true]));
      if (QUESTIONS.some(([name]) => said[name] !== full[name])) await say({ did: "judge", verdict: full });
    }
    await next();
  }

  async function drop() {
    await say({ did: item().dropped ? "keep" : "drop" });
    await show(state.place);
  }

  async function skip() {
    await say({ did: "skip" });
    await next();
  }

  async function detail() {
    const panel = byId("detail");
    if (!panel.hidden) {
      panel.hidden = true;
      return;
    }
    const found = await ask(`detail?${query({ id: item().id })}`);
    const near = found.near.map(({ score, text: words }) => element("li", {}, element("b", {}, score.toFixed(2)), text(words)));
    const prompts = found.asked.map((one) =>
      element("details", {}, element("summary", {}, `${one.stage}: what ${one.model} was asked, and its answer`),
        text(one.prompt, "text prompt"), text(one.completion, "text prompt answer")));
    panel.replaceChildren(
      element("p", { class: "id" }, item().id),
      element("h2", {}, "Closest tasks of the run"),
      near.length ? element("ol", { class: "near" }, ...near) : element("p", { class: "note" }, "None shares a word with it."),
      element("h2", {}, "Prompts"),
      ...(prompts.length ? prompts : [element("p", { class: "note" }, "The run has no journal of them.")]),
    );
    if (prompts.length) panel.querySelector("details").open = true;
    panel.hidden = false;
    panel.scrollIntoView({ block: "nearest" });
  }

  key("1", "the instruction is not valid, or is again", () => toggle("instruction"));
  key("2", "the input does not fit, or does", () => toggle("input"));
  key("3", "the output is wrong, or is right", () => toggle("output"));
  key(" ", "all that is not marked is good; next", good);
  key("d", "drop the task, or keep it again", drop);
  key("e", "edit its texts", () => review.edit(item()));
  key("n", "write a note", () => review.note());
  key("t", "give it tags", () => review.tags(item()));
  key("r", "repair: have the model write the output anew", () => {
    if (!state.start.repairs) throw new Error("No model is at hand: start `sprout review` with --settings, or --engine and --model.");
    review.repair(item());
  });
  key("p", "prompt and nearest neighbours", detail);
  key("s", "skip: say nothing of it", skip);
  key("u", "undo the last thing you did", undo);
  key("arrowleft", "back", () => show(state.place - 1), true);
  key("arrowright", "next, saying nothing", next, true);
  review.texts = texts;
  review.render = render;
})();
