"use strict";
// The browser of tasks: search, filters, pages.
(() => {
  const PAGE = 10;
  const part = Object.fromEntries(
    ["filters", "query", "outcome", "stage", "reason", "mark", "cluster", "score", "low", "high", "count", "list", "where", "before", "after"]
      .map((id) => [id, document.getElementById(id)]),
  );
  let tasks, haystack, rows = [], page = 0, waiting, setting = false;

  const label = (score) => (score === "rouge_l" ? "ROUGE-L" : score);
  const kept = (row) => tasks.reason[row] < 0;

  function matches(row, words, wanted) {
    const score = wanted.score && tasks.scores[wanted.score][row];
    return (
      (!wanted.outcome || (wanted.outcome === "kept") === kept(row)) &&
      (!wanted.stage || tasks.stage[row] === +wanted.stage) &&
      (!wanted.reason || tasks.reason[row] === +wanted.reason) &&
      (!wanted.mark || tasks.marks[row].includes(wanted.mark)) &&
      (!wanted.cluster || tasks.cluster[row] === +wanted.cluster) &&
      (!wanted.score || (score !== null && (wanted.low === "" || score >= +wanted.low) && (wanted.high === "" || score <= +wanted.high))) &&
      words.every((word) => haystack[row].includes(word))
    );
  }

  function search() {
    const wanted = Object.fromEntries(["outcome", "stage", "reason", "mark", "cluster", "score", "low", "high"].map((id) => [id, part[id].value]));
    const words = part.query.value.toLowerCase().split(/\s+/).filter(Boolean);
    rows = [];
    for (let row = 0; row < tasks.id.length; row++) if (matches(row, words, wanted)) rows.push(row);
    page = 0;
    show();
  }

  function show() {
    const pages = Math.max(1, Math.ceil(rows.length / PAGE));
    part.count.textContent = `${rows.length.toLocaleString("en")} of ${tasks.id.length.toLocaleString("en")} tasks`;
    part.where.textContent = `${page + 1} of ${pages}`;
    part.before.disabled = page === 0;
    part.after.disabled = page + 1 >= pages;
    part.list.replaceChildren(...rows.slice(page * PAGE, (page + 1) * PAGE).map(item));
  }

  const link = (row) => `#task=${encodeURIComponent(tasks.id[row])}`;

  // A task with its first instance in sight; what else is known of it unfolds.
  function item(row) {
    const stage = tasks.stages[tasks.stage[row]], last = tasks.stage[row] === tasks.stages.length - 1;
    const outcome = kept(row) ? (last ? "kept" : `kept by ${stage}`) : `${stage}: ${tasks.reasons[tasks.reason[row]]}`;
    const tag = report.element("span", { class: `tag ${kept(row) ? "yes" : "no"}` }, outcome);
    const marks = tasks.marks[row].map((mark) => report.element("span", { class: "tag said" }, mark));
    const [first, ...others] = tasks.instances[row];
    const more = report.element("summary", {}, others.length ? `${others.length} more, history` : "history");
    const details = report.element("details", {}, more);
    details.addEventListener("toggle", () => {
      if (details.open && details.childElementCount === 1) details.append(body(row));
    });
    return report.element("li", { "data-row": row },
      report.element("p", { class: "head" }, report.text(tasks.text[row] || "(empty)"), report.element("span", { class: "tags" }, ...marks, tag)),
      ...(first ? [instance(first, "instance clamped")] : []),
      report.element("div", { class: "foot" }, details, report.element("a", { href: link(row) }, tasks.id[row])));
  }

  function instance([input, output], kind = "instance") {
    return report.element("dl", { class: kind },
      ...(input ? [report.element("dt", {}, "input"), report.element("dd", {}, report.text(input))] : []),
      report.element("dt", {}, "output"), report.element("dd", {}, report.text(output)));
  }

  function body(row) {
    const list = report.element("dl");
    const add = (name, ...content) => list.append(report.element("dt", {}, name), report.element("dd", {}, ...content));
    if (tasks.classification[row] >= 0) add("classification", tasks.classification[row] ? "yes" : "no");
    if (tasks.cluster[row] >= 0) add("cluster", tasks.clusters[tasks.cluster[row]][0]);
    for (const [name, scores] of Object.entries(tasks.scores)) if (scores[row] !== null) add(label(name), scores[row].toFixed(2));
    const near = tasks.nearest[row];
    if (near !== null) add("closest", report.text(typeof near === "string" ? near : report.textOf(tasks, near)));
    add("in a shell", report.element("code", {}, `sprout why ${tasks.id[row]} ${part.list.dataset.folder}`));
    tasks.instances[row].forEach((one, n) => add(`instance ${n + 1}`, instance(one)));
    const family = report.element("button", { type: "button", class: "to-family" }, "Family tree");
    family.addEventListener("click", () => report.family(row));
    return report.element("div", { class: "body" }, list, ...(tasks.demos[row].length ? [family] : []));
  }

  // Set some filters, clear the others, and go to the list; of all tasks, unless an outcome is wanted.
  report.filter = (wanted, open = false) => {
    setting = true;
    part.filters.reset();
    setting = false;
    for (const [id, value] of Object.entries({ outcome: "", ...wanted })) part[id].value = value;
    clearTimeout(waiting);
    search();
    if (open) part.list.querySelector("details")?.setAttribute("open", "");
    document.getElementById("tasks").scrollIntoView();
  };

  // The task that the address names, by a link to it.
  function follow() {
    const row = location.hash.startsWith("#task=") ? tasks.id.findIndex((_, row) => link(row) === location.hash) : -1;
    if (row < 0) return false;
    report.filter({ query: tasks.id[row] }); // which others may hold in their texts
    rows = [row];
    show();
    part.list.querySelector("details").open = true;
    return true;
  }

  function fill(select, names) {
    names.forEach((name, value) => select.append(report.element("option", { value }, name)));
  }

  report.browser = report.tasks.then((found) => {
    tasks = found;
    haystack = tasks.text.map((text, row) => [text, ...tasks.instances[row].flat(), tasks.id[row]].join("\n").toLowerCase());
    fill(part.stage, tasks.stages);
    fill(part.reason, tasks.reasons);
    const marks = [...new Set(tasks.marks.flat())].sort();
    for (const mark of marks) part.mark.append(report.element("option", { value: mark }, mark));
    part.mark.parentElement.hidden = !marks.length;
    if (!tasks.reason.some((reason) => reason < 0)) { // nothing is kept, so all is shown
      part.outcome.options[0].defaultSelected = false;
      part.outcome.options[2].defaultSelected = true;
      part.outcome.value = "";
    }
    fill(part.cluster, tasks.clusters.map(([name]) => name));
    for (const name of Object.keys(tasks.scores)) part.score.append(report.element("option", { value: name }, label(name)));
    part.filters.addEventListener("input", () => {
      if (!part.score.value && (part.low.value || part.high.value)) part.score.selectedIndex = Math.min(1, part.score.length - 1);
      clearTimeout(waiting);
      waiting = setTimeout(search, 60);
    });
    part.filters.addEventListener("submit", (event) => event.preventDefault());
    part.filters.addEventListener("reset", () => setting || setTimeout(search)); // once the fields are reset
    part.before.addEventListener("click", () => { page--; show(); });
    part.after.addEventListener("click", () => { page++; show(); });
    for (const button of document.querySelectorAll(".reasons button")) {
      const reason = tasks.reasons.indexOf(button.dataset.reason), stage = tasks.stages.indexOf(button.dataset.stage);
      button.addEventListener("click", () => report.filter({ reason: String(reason), stage: String(stage) }));
    }
    addEventListener("hashchange", follow);
    if (!follow()) search();
  }).catch((error) => {
    part.count.textContent = `This browser cannot unpack the tasks (${error.message}); a newer one can.`;
    throw error;
  });
})();
