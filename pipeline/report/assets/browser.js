"use strict";
// The browser of tasks: search, filters, pages.
(() => {
  const PAGE = 25;
  const part = Object.fromEntries(
    ["filters", "query", "outcome", "stage", "reason", "cluster", "score", "low", "high", "count", "list", "where", "before", "after"]
      .map((id) => [id, document.getElementById(id)]),
  );
  let tasks, haystack, rows = [], page = 0, waiting;

  const kept = (row) => tasks.reason[row] < 0;

  function matches(row, words, wanted) {
    const score = wanted.score && tasks.scores[wanted.score][row];
    return (
      (!wanted.outcome || (wanted.outcome === "kept") === kept(row)) &&
      (!wanted.stage || tasks.stage[row] === +wanted.stage) &&
      (!wanted.reason || tasks.reason[row] === +wanted.reason) &&
      (!wanted.cluster || tasks.cluster[row] === +wanted.cluster) &&
      (!wanted.score || (score !== null && (wanted.low === "" || score >= +wanted.low) && (wanted.high === "" || score <= +wanted.high))) &&
      words.every((word) => haystack[row].includes(word))
    );
  }

  function search() {
    const wanted = Object.fromEntries(["outcome", "stage", "reason", "cluster", "score", "low", "high"].map((id) => [id, part[id].value]));
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

  function item(row) {
    const outcome = kept(row) ? "kept" : tasks.reasons[tasks.reason[row]];
    const tag = report.element("span", { class: `tag ${kept(row) ? "yes" : "no"}` }, `${tasks.stages[tasks.stage[row]]}: ${outcome}`);
    const details = report.element("details", {}, report.element("summary", {}, report.text(tasks.text[row] || "(empty)"), tag));
    details.addEventListener("toggle", () => {
      if (details.open && details.childElementCount === 1) details.append(body(row));
    });
    return report.element("li", { "data-row": row }, details);
  }

  function body(row) {
    const list = report.element("dl");
    const add = (name, ...content) => list.append(report.element("dt", {}, name), report.element("dd", {}, ...content));
    add("id", tasks.id[row]);
    if (tasks.classification[row] >= 0) add("classification", tasks.classification[row] ? "yes" : "no");
    if (tasks.cluster[row] >= 0) add("cluster", tasks.clusters[tasks.cluster[row]][0]);
    for (const [name, scores] of Object.entries(tasks.scores)) if (scores[row] !== null) add(name, scores[row].toFixed(2));
    const near = tasks.nearest[row];
    if (near !== null) add("closest", report.text(typeof near === "string" ? near : report.textOf(tasks, near)));
    tasks.instances[row].forEach(([input, output], n) => {
      add(`instance ${n + 1}`, report.element("div", { class: "instance" },
        ...(input ? [report.text("input ", "tag"), report.text(input), report.element("br")] : []),
        report.text("output ", "tag"), report.text(output)));
    });
    const family = report.element("button", { type: "button", class: "to-family" }, "Family tree");
    family.addEventListener("click", () => report.family(row));
    return report.element("div", { class: "body" }, list, ...(tasks.demos[row].length ? [family] : []));
  }

  // Set some filters, clear the others, and go to the list.
  report.filter = (wanted, open = false) => {
    part.filters.reset();
    for (const [id, value] of Object.entries(wanted)) part[id].value = value;
    clearTimeout(waiting);
    search();
    if (open) part.list.querySelector("details")?.setAttribute("open", "");
    document.getElementById("tasks").scrollIntoView();
  };

  function fill(select, names) {
    names.forEach((name, value) => select.append(report.element("option", { value }, name)));
  }

  report.browser = report.tasks.then((found) => {
    tasks = found;
    haystack = tasks.text.map((text, row) => [text, ...tasks.instances[row].flat(), tasks.id[row]].join("\n").toLowerCase());
    fill(part.stage, tasks.stages);
    fill(part.reason, tasks.reasons);
    fill(part.cluster, tasks.clusters.map(([name]) => name));
    for (const name of Object.keys(tasks.scores)) part.score.append(report.element("option", { value: name }, name));
    part.filters.addEventListener("input", () => {
      if (!part.score.value && (part.low.value || part.high.value)) part.score.selectedIndex = Math.min(1, part.score.length - 1);
      clearTimeout(waiting);
      waiting = setTimeout(search, 60);
    });
    part.filters.addEventListener("submit", (event) => event.preventDefault());
    part.filters.addEventListener("reset", () => setTimeout(search));
    part.before.addEventListener("click", () => { page--; show(); });
    part.after.addEventListener("click", () => { page++; show(); });
    for (const button of document.querySelectorAll(".reasons button")) {
      const reason = tasks.reasons.indexOf(button.dataset.reason), stage = tasks.stages.indexOf(button.dataset.stage);
      button.addEventListener("click", () => report.filter({ reason: String(reason), stage: String(stage) }));
    }
    search();
  }).catch((error) => {
    part.count.textContent = `This browser cannot unpack the tasks (${error.message}); a newer one can.`;
    throw error;
  });
})();
