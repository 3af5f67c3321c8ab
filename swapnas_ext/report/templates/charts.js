"use strict";
// Charts: each is embedded from its specification; dots of architectures tell and lead to their rows.
(() => {
  const json = element => JSON.parse(element.textContent);
  const tip = document.getElementById("tip");
  const sets = {};
  const titles = {};
  for (const element of document.querySelectorAll("script.data")) {
    const {fields, rows, told} = json(element);
    titles[element.dataset.name] = told;
    sets[element.dataset.name] = rows.map((row, place) => {
      const one = {"@": element.dataset.name, "@place": place};
      fields.forEach((field, column) => { one[field] = row[column]; });
      return one;
    });
  }

  function add(parent, tag, text) {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    parent.append(element);
    return element;
  }

  function show(handler, event, item, value) {
    tip.hidden = !value;
    if (!value) return;
    tip.replaceChildren();
    const datum = item.datum || {};
    if (datum.name) add(tip, "b", datum.name);
    if (datum.architecture && datum.architecture !== datum.name) add(tip, "code", datum.architecture);
    const list = add(tip, "dl");
    for (const [title, text] of Object.entries(value)) {
      if (title === "name" || text === "null" || text === "undefined") continue;
      add(list, "dt", title);
      add(list, "dd", text);
    }
    const beside = tip.getBoundingClientRect();
    const left = event.clientX + 14 + beside.width > innerWidth ? event.clientX - 14 - beside.width : event.clientX + 14;
    const top = Math.min(event.clientY + 14, innerHeight - beside.height - 8);
    tip.style.left = `${Math.max(4, Math.min(left, innerWidth - beside.width - 4))}px`;
    tip.style.top = `${Math.max(4, top)}px`;
  }

  function lead(id) {
    const row = document.getElementById(id);
    if (!row) return;
    location.hash = id;
    for (let box = row.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
    row.scrollIntoView({block: "center"});
    row.focus({preventScroll: true});
  }

  function text(value) {
    if (typeof value !== "number") return value === null || value === undefined ? "" : String(value);
    return Number.isInteger(value) ? value.toLocaleString("en-US") : String(Number(value.toPrecision(6)));
  }

  // A dot whose architecture is in no table gets a row of its own.
  function pick(datum) {
    const told = titles[datum["@"]];
    const id = `picked-${datum["@"]}-${datum["@place"]}`;
    const section = document.getElementById("picked");
    if (!document.getElementById(id)) {
      section.hidden = false;
      const row = document.createElement("tr");
      row.id = id;
      row.tabIndex = -1;
      const cell = add(row, "th");
      cell.scope = "row";
      const box = add(cell, "div");
      box.className = "architecture";
      if (datum.name === datum.architecture) add(box, "code", datum.architecture);
      else {
        const folded = add(box, "details");
        add(folded, "summary", datum.name);
        add(folded, "code", datum.architecture);
      }
      const button = add(box, "button", "copy");
      button.type = "button";
      button.className = "copy";
      button.setAttribute("aria-label", `copy ${datum.name}`);
      for (const field of Object.keys(told)) add(row, "td", text(datum[field])).className = "number";
      section.querySelector("tbody").prepend(row);
    }
    lead(id);
  }

  for (const element of document.querySelectorAll(".chart")) {
    const spec = json(element.querySelector("script"));
    spec.datasets = Object.assign({}, sets, spec.datasets);
    vegaEmbed(element, spec, {ast: true, renderer: "svg", actions: false, defaultStyle: false, tooltip: show}).then(
      ({view}) => {
        view.addEventListener("click", (event, item) => {
          const datum = item && item.datum;
          if (!datum) return;
          if (datum.row) lead(datum.row);
          else if (datum["@"]) pick(datum);
        });
        element.dataset.ready = "yes";
      },
      error => console.error(error)
    );
  }
})();
