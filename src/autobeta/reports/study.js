// A click on a heading sorts its table: best known first or last, blanks always last.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.querySelectorAll("thead th")];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const sign = heading.getAttribute("aria-sort") === "descending" ? 1 : -1;
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      const body = table.tBodies[0];
      const number = (row) => parseFloat(row.cells[column].dataset.value ?? "");
      const text = (row) => row.cells[column].textContent;
      const compare = (a, b) => {
        const [x, y] = [number(a), number(b)];
        if (isNaN(x) && isNaN(y)) return -sign * text(a).localeCompare(text(b));
        return isNaN(x) - isNaN(y) || sign * (x - y);
      };
      body.append(...[...body.rows].sort(compare));
    });
  });
}
