// The Submit page: a run and a token go to the API of this board and nowhere else. The token is read when a button is
// pressed, is never stored, and leaves the page with its field. All that is shown comes in as text.
(() => {
  "use strict";
  const $ = (id) => document.getElementById(id);
  for (const place of document.querySelectorAll(".address")) place.textContent = location.origin;
  const box = $("submit");
  if (!box) return;
  const say = box.dataset;
  const outcome = $("outcome"), problems = $("problems"), progress = $("progress"), scores = $("scores-of-run");

  const element = (name, text = "", attributes = {}) => {
    const made = document.createElement(name);
    made.textContent = text;
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  const show = (place, text, kind) => {
    const line = element("p", text);
    if (kind) line.className = kind;
    place.replaceChildren(line);
    return line;
  };
  const clear = () => {
    problems.replaceChildren();
    scores.replaceChildren();
    outcome.replaceChildren();
  };
  const token = () => $("token").value.trim();

  // One zip is sent as it is; other files as the parts of a form, by their path in the run's folder.
  const chosenFiles = () => {
    const path = (file) => file.webkitRelativePath || file.name;
    return [...$("files").files, ...$("folder").files].filter((file) => !path(file).split("/").some((p) => p.startsWith(".")));
  };
  const bodyOf = (files) => {
    if (files.length === 1 && files[0].name.toLowerCase().endsWith(".zip")) {
      return { content: files[0], type: "application/zip" };
    }
    const form = new FormData();
    for (const file of files) form.append("file", file, file.webkitRelativePath || file.name);
    return { content: form, type: "" };
  };

  // XMLHttpRequest, because fetch tells nothing about how much has been sent.
  const post = (address, body, type, onProgress) => new Promise((done) => {
    const request = new XMLHttpRequest();
    request.open("POST", address);
    request.setRequestHeader("Authorization", `Bearer ${token()}`);
    request.setRequestHeader("Accept", "application/json");
    if (type) request.setRequestHeader("Content-Type", type);
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.upload.onload = () => onProgress(1);
    request.onerror = () => done({ status: 0, answer: {} });
    request.onload = () => {
      let answer = {};
      try { answer = JSON.parse(request.responseText); } catch { /* no answer of a board */ }
      done({ status: request.status, answer, retry: request.getResponseHeader("Retry-After") });
    };
    request.send(body);
  });

  const failure = ({ status, answer, retry }) => {
    if (status === 0) return say.unreachable;
    if (status === 401) return say.wrongToken;
    if (status === 413) return say.tooLarge;
    if (status === 429) return `${say.limit} ${answer.title || ""} ${answer.detail || ""}`.trim() + (retry ? ` (${retry} s)` : "");
    if (status === 503) return say.busy;
    return `${say.other} ${answer.title || ""} ${answer.detail || ""} (HTTP ${status})`;
  };
  const table = (found) => {
    const made = element("table");
    const head = made.createTHead().insertRow();
    head.append(element("th", say.task, { scope: "col" }), element("th", say.score, { scope: "col", class: "n" }));
    const body = made.createTBody();
    for (const [task, score] of Object.entries(found)) {
      const row = body.insertRow();
      row.append(element("th", task, { scope: "row" }), element("td", score.toFixed(1), { class: "n" }));
    }
    const around = element("div", "", { class: "scroll", tabindex: "0" });
    around.append(made);
    return around;
  };
  const nth = async (id) => {
    const answer = await fetch(`/api/v1/systems/${id}`);
    if (!answer.ok) return "";
    const { history } = await answer.json();
    return say.nth.replace("{n}", history.indexOf(id) + 1).replace("{total}", history.length);
  };
  const accepted = async (answer) => {
    const line = show(outcome, answer.duplicate ? say.duplicate : say.accepted, "good");
    line.append(" ", element("a", `#${answer.id}`, { href: `${say.model}?id=${answer.id}` }));
    const count = await nth(answer.id);
    if (count) line.append(` (${count})`);
  };

  let busy = false;
  const send = async (route) => {
    if (busy) return;
    clear();
    const files = chosenFiles();
    if (!token()) { show(outcome, say.noToken, "error"); $("token").focus(); return; }
    if (!files.length) { show(outcome, say.noFile, "error"); $("files").focus(); return; }
    busy = true;
    for (const id of ["check", "send"]) $(id).setAttribute("aria-disabled", "true");
    progress.hidden = false;
    progress.value = 0;
    show(outcome, say.sending);
    const { content, type } = bodyOf(files);
    const found = await post(`/api/v1/${route}`, content, type, (share) => {
      if (share < 1) { progress.value = share; return; }
      progress.removeAttribute("value"); // sent; how long the check takes is not known
      if (outcome.textContent !== say.checking) show(outcome, say.checking);
    });
    progress.hidden = true;
    busy = false;
    for (const id of ["check", "send"]) $(id).removeAttribute("aria-disabled");
    if (found.status === 200 || found.status === 201) {
      if (route === "check") show(outcome, say.wouldAccept, "good");
      else await accepted(found.answer);
      scores.replaceChildren(table(found.answer.scores || {}));
    } else if (found.status === 422) {
      const lines = found.answer.problems?.length ? found.answer.problems : [found.answer.detail || found.answer.title || ""];
      show(outcome, say.refused.replace("{n}", lines.length), "error");
      problems.replaceChildren(...lines.map((line) => element("li", line)));
    } else {
      show(outcome, failure(found), "error");
    }
    outcome.focus();
  };
  $("check").addEventListener("click", () => send("check"));
  $("send").addEventListener("click", () => send("submissions"));

  const ask = async () => {
    const place = $("ask-outcome");
    const wanted = { model: $("ask-model").value.trim(), revision: $("ask-revision").value.trim(), method: $("ask-method").value };
    if (!token()) { show(place, say.noToken, "error"); $("token").focus(); return; }
    if (!wanted.model) { show(place, say.noModel, "error"); $("ask-model").focus(); return; }
    const found = await post("/api/v1/queue", JSON.stringify(wanted), "application/json", () => {});
    if (found.status === 200 || found.status === 201) {
      const line = show(place, found.answer.new ? say.queued : say.queuedAlready, "good");
      line.append(" ", element("a", `#${found.answer.id}`, { href: say.queue }));
    } else {
      show(place, found.status === 422 ? found.answer.detail || found.answer.title : failure(found), "error");
    }
  };
  $("ask-send").addEventListener("click", ask);

  // Browsers keep the fields of pages for the way back; not this one.
  addEventListener("pagehide", () => { $("token").value = ""; });
})();
