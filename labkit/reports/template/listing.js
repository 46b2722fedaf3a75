
// Tables whose headings sort them: numbers by size, texts by letter, empty cells last.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.querySelectorAll("thead th")];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const up = heading.getAttribute("aria-sort") !== "ascending";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", up ? "ascending" : "descending");
      const body = table.tBodies[0];
      const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
      const compare = (a, b) => {
        if (a === "" || b === "") return a === b ? 0 : a === "" ? Infinity : -Infinity;
        const numbers = [Number(a), Number(b)];
        return numbers.some(Number.isNaN) ? a.localeCompare(b) : numbers[0] - numbers[1];
      };
      const rows = [...body.rows].map((row) => [key(row), row]);
      rows.sort(([a], [b]) => {
        const order = compare(a, b);
        return Number.isFinite(order) && !up ? -order : order;
      });
      body.append(...rows.map(([, row]) => row));
    });
  });
}
