// Before anything is painted: the theme that the reader chose here, or asked for in the address (?__theme=dark).
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  let chosen = new URLSearchParams(location.search).get("__theme");
  try { chosen = chosen || localStorage.getItem("ita-med-theme"); } catch { /* storage may be forbidden */ }
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;
})();
