// What a script can do better than a page: copying, rows without a round trip, and a preview while one types.
// Every page is whole without it.
"use strict";

const LIVE_DELAY_MS = 350;

function copyButtons() {
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    const label = button.innerHTML;
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copy);
      const text = (source.value ?? source.textContent).trim();
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Select and copy it";
      }
      setTimeout(() => { button.innerHTML = label; }, 2000);
    });
  }
}

function numberRows(list) {
  const words = { from: "Old page, rule ", answer: "What it does, rule ", to: "New place, rule " };
  list.querySelectorAll(".rule").forEach((row, place) => {
    for (const field of row.querySelectorAll("[name]")) {
      if (field.name === "drop") {
        field.value = place;
        field.querySelector(".away").textContent = ` rule ${place + 1}`;
        continue;
      }
      field.setAttribute("aria-label", words[field.name] + (place + 1));
      if (field.name !== "answer") field.id = `${field.name}-${place}`;
    }
  });
}

function blankRow(row) {
  const blank = row.cloneNode(true);
  for (const fault of blank.querySelectorAll(".fault")) fault.remove();
  for (const field of blank.querySelectorAll("input")) {
    field.value = "";
    field.removeAttribute("value");
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-describedby");
  }
  for (const option of blank.querySelectorAll("option")) option.selected = option.defaultSelected = option.value === "to";
  return blank;
}

function ruleRows(form, changed) {
  const list = document.getElementById("rules");
  if (list === null) return;
  form.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button === null) return;
    if (button.hasAttribute("data-add-row")) {
      event.preventDefault();
      const row = list.appendChild(blankRow(list.lastElementChild));
      numberRows(list);
      row.querySelector("input").focus();
    } else if (button.name === "drop") {
      event.preventDefault();
      const row = button.closest(".rule");
      const next = row.nextElementSibling ?? row.previousElementSibling ?? list.appendChild(blankRow(row));
      row.remove();
      numberRows(list);
      next.querySelector("input").focus();
      changed();
    }
  });
}

function livePreview(form) {
  let timer = 0;
  let asking = null;

  async function refresh() {
    asking?.abort();
    const mine = asking = new AbortController();
    const status = document.getElementById("preview-status");
    try {
      const answer = await fetch(form.dataset.live, {
        method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "error", signal: mine.signal,
      });
      if (!answer.ok) throw new Error(`answered ${answer.status}`);
      const parts = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (mine.signal.aborted) return;
      for (const part of parts.querySelectorAll("[id]")) {
        const shown = document.getElementById(part.id);
        if (shown === null || part.parentElement !== parts.body) continue;
        if (shown.innerHTML !== part.innerHTML && !shown.contains(document.activeElement)) {
          shown.innerHTML = part.innerHTML;
        }
      }
      document.getElementById("preview").hidden = false;
    } catch (error) {
      if (error.name !== "AbortError") status.textContent = "The preview cannot be made now. Use the button Preview.";
    }
  }

  function changed() {
    clearTimeout(timer);
    timer = setTimeout(refresh, LIVE_DELAY_MS);
  }

  form.addEventListener("input", changed);
  form.addEventListener("submit", () => { clearTimeout(timer); asking?.abort(); });
  return changed;
}

copyButtons();
const form = document.querySelector("form[data-live]");
if (form !== null) ruleRows(form, livePreview(form));
