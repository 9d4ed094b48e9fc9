// Shows the values under the pointer of every line chart; the page is complete without it.
"use strict";
for (const svg of document.querySelectorAll("svg[data-chart]")) {
  const chart = JSON.parse(svg.dataset.chart);
  const make = (name) => svg.appendChild(document.createElementNS(svg.namespaceURI, name));
  let cursor = null;
  let dots = [];
  let tip = null;

  const hide = () => {
    for (const node of [cursor, tip, ...dots]) node?.remove();
    cursor = tip = null;
    dots = [];
  };

  const show = (event) => {
    const box = svg.getBoundingClientRect();
    const scale = svg.viewBox.baseVal.width / box.width;
    const x = (event.clientX - box.left) * scale;
    hide();
    if (x < chart.left - 8 || x > chart.right + 8) return;
    const near = chart.series.map((series) => {
      let best = 0;
      series.at.forEach((at, i) => {
        if (Math.abs(at[0] - x) < Math.abs(series.at[best][0] - x)) best = i;
      });
      return { series, at: series.at[best], text: series.text[best] };
    });
    const first = near.reduce((a, b) => (Math.abs(a.at[0] - x) <= Math.abs(b.at[0] - x) ? a : b));
    cursor = make("line");
    cursor.setAttribute("class", "cursor");
    for (const [name, value] of [["x1", first.at[0]], ["x2", first.at[0]], ["y1", chart.top], ["y2", chart.bottom]])
      cursor.setAttribute(name, value);
    dots = near.map(({ series, at }) => {
      const dot = make("circle");
      dot.setAttribute("class", `dot ${series.style}`);
      dot.setAttribute("cx", at[0]);
      dot.setAttribute("cy", at[1]);
      dot.setAttribute("r", 4.5);
      return dot;
    });
    tip = document.createElement("div");
    tip.className = "tip";
    for (const { series, text } of near) {
      const row = document.createElement("div");
      row.textContent = `${series.name} ${text[1]}  at ${text[0]}`;
      tip.append(row);
    }
    svg.parentElement.append(tip);
    const figure = svg.parentElement.getBoundingClientRect();
    const left = event.clientX - figure.left + 14;
    tip.style.left = `${left + tip.offsetWidth > figure.width ? left - tip.offsetWidth - 28 : left}px`;
    tip.style.top = `${Math.max(event.clientY - figure.top - tip.offsetHeight - 10, 4)}px`;
  };

  svg.addEventListener("pointermove", show);
  svg.addEventListener("pointerleave", hide);
}
