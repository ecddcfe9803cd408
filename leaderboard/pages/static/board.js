// What a page does beyond being read: filters without a reload, sorting, choosing systems, theme, lazy figures.
// Every page works without this file: the form is sent as a form, and tables are in their order.
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

  // --- theme

  const dark = () => {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };
  const toggle = $("#theme");
  if (toggle) {
    toggle.hidden = false;
    toggle.addEventListener("click", () => {
      const next = dark() ? "light" : "dark";
      document.documentElement.dataset.theme = next;
      try { localStorage.setItem("ita-med-theme", next); } catch { /* then only for this page */ }
      document.dispatchEvent(new CustomEvent("themechange"));
    });
  }

  // --- links to the other language keep what is asked for

  const keepQuery = () => {
    for (const link of $$("a[data-language]")) {
      // what a provider sends back to a sign-in stays out of other addresses
      if (link.getAttribute("href").startsWith("/") && !location.pathname.startsWith("/login/")) link.search = location.search;
    }
  };

  // --- sorting

  let sorted = null; // {label, direction} of the last sorting, to be kept when the table is fetched again

  const valueOf = (row, column, kind) => {
    const cell = row.cells[column];
    if (kind === "text") return cell.textContent.trim().toLowerCase();
    return "v" in cell.dataset ? Number(cell.dataset.v) : null;
  };
  const sort = (table, column, kind, direction) => {
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row, n) => [valueOf(row, column, kind), n, row]);
    rows.sort(([a, n], [b, m]) => {
      if (a === null || b === null) return (a === null) - (b === null) || n - m; // what is missing stands last
      const order = kind === "text" ? a.localeCompare(b) : a - b;
      return direction * order || n - m;
    });
    body.append(...rows.map(([, , row]) => row));
    table.classList.add("resorted");
    for (const head of $$("thead th[aria-sort]", table)) head.setAttribute("aria-sort", "none");
    const head = table.tHead.rows[0].cells[column];
    head.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
  };
  const ascendingFirst = (button, column) => button.dataset.kind === "text" || column < 3;
  const sortBy = (button) => {
    const head = button.closest("th");
    const now = head.getAttribute("aria-sort");
    const first = ascendingFirst(button, head.cellIndex) ? 1 : -1;
    const direction = now === "none" ? first : now === "ascending" ? -1 : 1;
    sort(head.closest("table"), head.cellIndex, button.dataset.kind, direction);
    sorted = { label: button.textContent, direction };
  };
  const sortAgain = () => {
    if (!sorted) return;
    const button = $$("table.ranked button.sort").find((one) => one.textContent === sorted.label);
    if (button) sort(button.closest("table"), button.closest("th").cellIndex, button.dataset.kind, sorted.direction);
  };

  // --- filters

  const form = $("#filters");
  const results = $("#results");
  const usual = { part: "all", scale: "raw" };

  const queryOf = () => {
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      if (value && usual[name] !== value) query.append(name, value);
    }
    return query;
  };
  const fillForm = () => {
    const query = new URLSearchParams(location.search);
    for (const field of form.elements) {
      if (!field.name) continue;
      const values = query.getAll(field.name);
      if (field.type === "checkbox") field.checked = values.includes(field.value);
      else if (field.type === "radio") field.checked = (values[0] || usual[field.name]) === field.value;
      else if (field.name !== "version") field.value = values[0] || "";
    }
  };
  let asking = null;
  const fetchResults = async (query) => {
    asking?.abort();
    asking = new AbortController();
    results.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(`${results.dataset.fragment}?${query}`, { signal: asking.signal });
      if (!answer.ok) throw new Error(answer.status);
      results.innerHTML = await answer.text(); // escaped by the server
      $("#problem").hidden = true;
      results.removeAttribute("aria-busy");
      sortAgain();
      showChosen();
      lookForFigures();
    } catch (error) {
      if (error.name === "AbortError") return;
      results.removeAttribute("aria-busy");
      $("#problem").hidden = false;
    }
  };
  const update = (replace) => {
    const query = queryOf().toString();
    if (query === location.search.slice(1)) return;
    history[replace ? "replaceState" : "pushState"](null, "", location.pathname + (query ? `?${query}` : ""));
    keepQuery();
    fetchResults(query);
  };
  if (form && results) {
    let waiting = 0;
    form.addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(waiting); update(false); });
    form.addEventListener("change", (event) => { if (event.target.name !== "q") update(false); });
    form.addEventListener("input", (event) => {
      if (event.target.name !== "q") return;
      clearTimeout(waiting);
      waiting = setTimeout(() => update(true), 250);
    });
    addEventListener("popstate", () => { fillForm(); keepQuery(); fetchResults(location.search.slice(1)); });
    addEventListener("pageshow", (event) => { if (event.persisted) fillForm(); });
  }

  // --- choosing systems for a comparison

  const chosen = new Set();
  const showChosen = () => {
    for (const box of $$('input[name="systems"]')) box.checked = chosen.has(box.value);
    const bar = $("#chosen");
    if (!bar) return;
    bar.hidden = chosen.size === 0;
    const link = $("a", bar);
    const enough = chosen.size >= 2 && chosen.size <= 6;
    link.hidden = !enough;
    $(".hint", bar).hidden = enough;
    link.href = `${bar.dataset.compare}?systems=${[...chosen].join(",")}`;
    $(".number", bar).textContent = chosen.size;
  };

  document.addEventListener("change", (event) => {
    if (event.target.name !== "systems" || !event.target.closest("table.ranked")) return;
    if (event.target.checked) chosen.add(event.target.value); else chosen.delete(event.target.value);
    showChosen();
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.classList.contains("sort")) sortBy(button);
    if (button?.classList.contains("expand")) {
      const box = $(`input[name="tasks"][value="${button.dataset.family}"]`, form);
      box.checked = !box.checked;
      update(false);
    }
  });

  // --- figures: drawn by the server; a button loads plotly and puts the interactive one in place of the drawing

  let library = null;
  const plotly = () => {
    library ??= new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = "/static/plotly.min.js";
      script.onload = () => done(window.Plotly);
      script.onerror = failed;
      document.head.append(script);
    });
    return library;
  };
  const coloured = (layout) => {
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue("--ink").trim(), line = style.getPropertyValue("--line").trim();
    const axis = { gridcolor: line, linecolor: line };
    const found = { ...layout, font: { ...layout.font, color: ink } };
    for (const name of Object.keys(layout)) {
      if (/^[xy]axis\d*$/.test(name)) found[name] = { ...layout[name], ...axis };
    }
    return found;
  };
  const draw = async (button) => {
    const answer = await fetch(button.dataset.figure);
    if (!answer.ok) throw new Error(answer.status);
    const figure = await answer.json();
    const library = await plotly();
    const place = $(".drawing", button.closest("figure"));
    place.replaceChildren();
    const show = () => library.react(place, figure.data, coloured(figure.layout), figure.config);
    await show();
    button.remove();
    document.addEventListener("themechange", show);
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.live");
    if (!button || button.disabled) return;
    button.disabled = true;
    draw(button).catch(() => { button.disabled = false; });
  });
  const fetchLazy = async (place) => {
    const answer = await fetch(place.dataset.lazy);
    if (answer.ok) place.innerHTML = await answer.text(); // escaped by the server
  };
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      watcher.unobserve(entry.target);
      fetchLazy(entry.target);
    }
  }, { rootMargin: "300px" });
  const lookForFigures = () => {
    for (const place of $$("[data-lazy]:empty")) watcher.observe(place);
  };

  // A plain form or a page from the back-forward cache may come with filled fields.
  keepQuery();
  showChosen();
  lookForFigures();
})();
