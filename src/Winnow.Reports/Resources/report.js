"use strict";
// Sorting: each heading becomes a button; the first click shows the best first.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const first = head.dataset.sort === "down" ? "descending" : "ascending";
      const second = first === "descending" ? "ascending" : "descending";
      const order = head.getAttribute("aria-sort") === first ? second : first;
      heads.forEach(h => h.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const value = row => row.cells[column].dataset.value;
      const compare = head.dataset.sort === "text"
        ? (a, b) => sign * value(a).localeCompare(value(b))
        : (a, b) => (value(a) === "") - (value(b) === "") || sign * (value(a) - value(b));
      table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
    });
  });
}
// A method under the pointer stands out in the plots of its task.
for (const task of document.querySelectorAll(".task")) {
  const show = event => {
    const method = event.target.closest("[data-m]")?.dataset.m;
    task.classList.toggle("focus", method !== undefined);
    for (const mark of task.querySelectorAll(".plot [data-m]")) mark.classList.toggle("on", mark.dataset.m === method);
  };
  task.addEventListener("pointerover", show);
  task.addEventListener("pointerleave", show);
}
// A link to a method's card opens it; paper shows all of them.
const open = () => document.getElementById(decodeURIComponent(location.hash.slice(1)))?.setAttribute("open", "");
addEventListener("hashchange", open);
open();
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach(d => d.open = true));
