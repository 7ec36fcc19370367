"use strict";
// The charts, drawn by Bokeh in the colours of the scheme, one after the other so that the page stays at hand.
(() => {
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  const colors = JSON.parse(document.getElementById("colors").textContent);
  const sources = [...document.querySelectorAll("script[data-chart]")];
  const drawn = new Map();
  let tasks, cluster = -1, round = 0;

  const colored = (text) => (scheme.matches ? text.replace(/#[0-9a-f]{6}/g, (color) => colors.dark[color] ?? color) : text);
  const pause = () => new Promise((go) => setTimeout(go));

  async function draw(script) {
    const place = document.getElementById(`chart-${script.dataset.chart}`);
    drawn.get(place)?.clear();
    place.replaceChildren();
    if (!place.offsetParent) return; // it is not for narrow screens
    const views = await Bokeh.embed.embed_item(JSON.parse(colored(script.textContent)));
    drawn.set(place, views);
    if (script.dataset.chart === "map") fillMap(views.roots[0].model.document.get_model_by_name("places"));
  }

  async function drawAll() {
    const mine = ++round;
    delete document.documentElement.dataset.ready;
    tasks = await report.tasks;
    for (const script of sources) {
      await pause();
      if (mine !== round) return;
      await draw(script);
    }
    await Promise.all([report.browser, report.tree]);
    document.documentElement.dataset.ready = "yes";
  }

  function fillMap(source) {
    const rows = tasks.place.flatMap((place, row) => (place ? [row] : []));
    const alpha = (row) => (cluster < 0 || tasks.cluster[row] === cluster ? 0.75 : 0.06);
    source.data = {
      x: rows.map((row) => tasks.place[row][0]),
      y: rows.map((row) => tasks.place[row][1]),
      color: rows.map((row) => tasks.clusters[tasks.cluster[row]][2]),
      alpha: rows.map(alpha),
      text: rows.map((row) => tasks.text[row].slice(0, 200)),
      row: rows,
    };
    source.selected.properties.indices.change.connect(() => {
      const [index] = source.selected.indices;
      if (index !== undefined) report.filter({ query: tasks.id[rows[index]] }, true);
    });
    report.shade = () => { source.data = { ...source.data, alpha: rows.map(alpha) }; };
  }

  for (const button of document.querySelectorAll("#clusters button")) {
    button.addEventListener("click", () => {
      const number = +button.dataset.cluster;
      cluster = cluster === number ? -1 : number;
      for (const other of document.querySelectorAll("#clusters button")) {
        other.setAttribute("aria-pressed", String(+other.dataset.cluster === cluster));
      }
      document.getElementById("cluster").value = cluster < 0 ? "" : String(cluster);
      document.getElementById("filters").dispatchEvent(new Event("input"));
      report.shade?.();
    });
  }
  scheme.addEventListener("change", drawAll);
  matchMedia("(max-width: 719px)").addEventListener("change", drawAll);
  drawAll();
})();
