"use strict";
// What is typed: changed texts, notes, tags, and what a repair should do. Ctrl+Enter or Enter saves, Esc leaves.
(() => {
  const { byId, element, text, button, ask, query, act, show, say, item, state } = review;
  const panel = byId("form");

  review.close = () => {
    panel.hidden = true;
    panel.replaceChildren();
    byId("actions").inert = byId("questions").inert = byId("hint").hidden = false;
  };

  function open(title, fields, save, ...more) {
    byId("actions").inert = byId("questions").inert = byId("hint").hidden = true;
    const leave = button("Leave", "Esc", review.close);
    const keep = button(save.label, save.key, save.does, "main");
    panel.replaceChildren(element("h2", {}, title), ...fields, element("div", { class: "row" }, keep, leave), ...more);
    panel.onkeydown = (event) => {
      if (event.isComposing) return;
      if (event.key === "Escape") review.close();
      else if (event.key === "Enter" && (event.ctrlKey || event.metaKey || (save.key === "Enter" && !event.shiftKey)) && event.target.closest("input, textarea")) act(save.does);
      else return;
      event.preventDefault();
      event.stopPropagation();
    };
    panel.hidden = false;
    const first = panel.querySelector("textarea, input");
    first.focus();
    if (first.setSelectionRange) first.setSelectionRange(first.value.length, first.value.length);
    panel.scrollIntoView({ block: "nearest" });
    return keep;
  }

  let number = 0;

  function field(label, value, lines = 3) {
    const id = `field-${number++}`;
    const made = element(lines ? "textarea" : "input", lines ? { id, rows: Math.min(14, Math.max(lines, value.split("\n").length + value.length / 90)) | 0, dir: "auto" } : { id });
    made.value = value;
    return [element("label", { for: id }, label), made];
  }

  review.edit = (task) => {
    const instruction = field("Instruction", task.instruction);
    const several = task.instances.length > 1;
    const instances = task.instances.map((one, place) => [
      field(`Input${several ? ` ${place + 1}` : ""}`, one.input, 2), field(`Output${several ? ` ${place + 1}` : ""}`, one.output),
    ]);
    const save = async () => {
      const after = {
        instruction: instruction[1].value,
        instances: instances.map(([input, output]) => ({ input: input[1].value, output: output[1].value })),
      };
      await say({ did: "edit", after });
      await show(state.place);
    };
    open("Edit", [instruction, ...instances.flat()].flat(), { label: "Save", key: "Ctrl Enter", does: save });
  };

  review.note = () => {
    const note = field("Note", "");
    const save = async () => {
      if (note[1].value.trim()) await say({ did: "note", note: note[1].value.trim() });
      await show(state.place);
    };
    open("Note on this task", note, { label: "Save", key: "Enter", does: save });
  };

  review.tags = (task) => {
    const tags = field("Tags, with commas between them", task.tags.join(", "), 0);
    const save = async () => {
      await say({ did: "tag", tags: tags[1].value.split(",").map((tag) => tag.trim()).filter(Boolean) });
      await show(state.place);
    };
    open("Tags of this task", tags, { label: "Save", key: "Enter", does: save });
  };

  let lastNote = "";

  review.repair = (task) => {
    const note = field("What should the output do, or not do?", lastNote || task.notes.at(-1)?.text || "");
    const result = element("div");
    const tryIt = async () => {
      lastNote = note[1].value.trim();
      result.replaceChildren(element("p", { class: "note" }, "Asking the model …"));
      try {
        const tried = await ask("try", { id: task.id, note: lastNote });
        result.replaceChildren(...pairs(task, tried), ...(same(task, tried) ? [] : taking(task, tried)), ...forAll());
        result.querySelector("button.main")?.focus();
        result.scrollIntoView({ block: "nearest" });
      } catch (error) {
        result.replaceChildren();
        throw error;
      }
    };
    open("Repair", note, { label: "Try it on this task", key: "Enter", does: tryIt }, result);
  };

  const same = (task, tried) => task.instances.every((one, place) => one.output === tried.after.instances[place].output);

  function pairs(task, tried) {
    if (same(task, tried)) return [element("p", {}, "The model changed nothing. Say more plainly what should change.")];
    return task.instances.map((one, place) =>
      element("div", { class: "pair" },
        element("div", {}, element("h3", {}, "Before"), text(one.output)),
        element("div", {}, element("h3", {}, "After"), text(tried.after.instances[place].output, "text output"))));
  }

  function taking(task, tried) {
    const take = async () => {
      await say({ did: "edit", after: tried.after, note: lastNote, model: tried.model });
      await show(state.place);
    };
    return [element("div", { class: "row" }, button("Take it", "Enter", take, "main"))];
  }

  // Once it pleases here: the same for all that a search finds.
  function forAll() {
    const search = field("The same for all tasks in which this occurs (empty: all kept tasks)", "", 0);
    const count = element("p", { class: "note" });
    const go = button("Repair all of these", "", () => repairAll(search[1].value), "");
    let waiting;
    const look = () => act(async () => {
      const found = await ask(`found?${query({ search: search[1].value })}`);
      count.textContent = `${found.count.toLocaleString("en")} tasks`;
      go.disabled = !found.count;
    });
    search[1].addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(look, 200);
    });
    search[1].addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.stopPropagation();
    });
    look();
    return [element("div", { class: "all" }, ...search, count, element("div", { class: "row" }, go))];
  }

  async function repairAll(search) {
    await ask("repair", { note: lastNote, search, reviewer: state.reviewer });
    const progress = element("p", { role: "status", id: "repairing" });
    panel.replaceChildren(element("h2", {}, "Repair"), progress);
    for (;;) {
      const now = await ask("repair");
      progress.textContent = `${now.done.toLocaleString("en")} of ${now.total.toLocaleString("en")} asked, ${now.changed.toLocaleString("en")} changed. ${now.problem}`;
      if (!now.running) break;
      await new Promise((done) => setTimeout(done, 300));
    }
    state.items.clear();
    const place = state.place;
    panel.append(
      element("p", { class: "note" }, "Each change keeps what was before. Undo takes all of them back, now or later with `sprout edit RUN --undo`."),
      element("div", { class: "row" }, button("Continue", "", () => show(place), "main"), button("Undo all", "", review.undo)),
    );
    panel.querySelector("button").focus();
  }

  review.begin(review.render);
})();
