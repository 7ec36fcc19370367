"use strict";
// The family tree of a task: what was shown in the prompt that wrote it, back to the seeds.
(() => {
  const OPEN = 2; // generations that are open at first
  const place = document.getElementById("tree");
  let tasks;

  // How many generations lie between each task and the seeds; a file that was edited may hold circles.
  function generations() {
    const found = new Int32Array(tasks.id.length).fill(-1);
    for (let start = 0; start < found.length; start++) {
      const path = [start];
      while (path.length) {
        const row = path.at(-1);
        if (found[row] === -1) {
          found[row] = -2;
          for (const demo of tasks.demos[row]) if (demo >= 0 && found[demo] === -1) path.push(demo);
        } else {
          if (found[row] === -2) found[row] = 1 + Math.max(0, ...tasks.demos[row].map((demo) => (demo >= 0 ? Math.max(0, found[demo]) : 0)));
          path.pop();
        }
      }
    }
    return found;
  }

  function ancestors(row) {
    const found = new Set(), open = [row];
    while (open.length) {
      for (const demo of tasks.demos[open.pop()]) {
        if (found.has(demo)) continue;
        found.add(demo);
        if (demo >= 0) open.push(demo);
      }
    }
    return [...found];
  }

  const seeds = () => (tasks.whole ? "seeds" : "seeds or tasks that are not on this page");

  function branch(row, depth) {
    const list = report.element("ul");
    const written = tasks.demos[row].filter((demo) => demo >= 0), others = tasks.demos[row].filter((demo) => demo < 0);
    for (const demo of written) {
      const details = report.element("details", {}, report.element("summary", {}, report.text(tasks.text[demo])));
      details.addEventListener("toggle", () => {
        if (details.open && details.childElementCount === 1) details.append(branch(demo, depth + 1));
      });
      if (depth < OPEN) {
        details.append(branch(demo, depth + 1));
        details.open = true;
      }
      list.append(report.element("li", {}, details));
    }
    if (others.length) {
      const leaves = others.map((demo) => report.element("li", { class: tasks.others[-1 - demo][1] === null ? "again" : "seed" }, report.text(report.textOf(tasks, demo))));
      if (!written.length && depth === 0) list.append(...leaves);
      else list.append(report.element("li", {}, report.element("details", {}, report.element("summary", { class: "again" }, `${others.length} ${seeds()}`), report.element("ul", {}, ...leaves))));
    }
    return list;
  }

  function draw(row, deepest) {
    const all = ancestors(row), written = all.filter((demo) => demo >= 0).length;
    const figures = `${deepest[row]} generation${deepest[row] === 1 ? "" : "s"}, ${written} tasks and ${all.length - written} ${seeds()} before it`;
    place.replaceChildren(
      report.element("p", { class: "root" }, report.text(tasks.text[row])),
      report.element("p", { class: "note" }, figures),
      branch(row, 0),
    );
  }

  report.tree = report.tasks.then((found) => {
    tasks = found;
    const deepest = generations();
    report.family = (row) => {
      draw(row, deepest);
      document.getElementById("family").scrollIntoView();
    };
    let first = -1;
    for (let row = 0; row < deepest.length; row++) {
      if (tasks.reason[row] < 0 && tasks.demos[row].length && (first < 0 || deepest[row] > deepest[first])) first = row;
    }
    if (first < 0) place.replaceChildren(report.element("p", { class: "note" }, "No task of this run says which tasks its prompt showed."));
    else draw(first, deepest);
  });
})();
