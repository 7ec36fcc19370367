"use strict";
// The tasks of the run, as columns, unpacked once; what else the scripts of the page share.
const report = {
  tasks: (async () => {
    const text = atob(document.getElementById("packed").textContent), bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i); // Uint8Array.from takes twenty times as long
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  })(),

  // An element; text is only ever put in as text.
  element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  },

  text(content, kind = "text") {
    return report.element("span", { class: kind, dir: "auto" }, content);
  },

  // Row -1 - n is the n-th of the others: seeds, and tasks that are not on the page.
  textOf(tasks, row) {
    if (row >= 0) return tasks.text[row];
    const [id, text] = tasks.others[-1 - row];
    return text ?? id;
  },
};
