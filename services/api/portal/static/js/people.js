// Choosing somebody from a list: what is typed narrows it, Enter takes the first.

/** Watch the lists that there are and those that will come. */
export function startPeople() {
  document.addEventListener("htmx:load", ({ detail }) => begin(detail.elt));
  document.addEventListener("input", ({ target }) => target.id === "people-words" && narrow(target));
  document.addEventListener("keydown", (event) => {
    if (event.target.id !== "people-words" || !["Enter", "ArrowDown"].includes(event.key)) return;
    const first = choices(event.target).find((choice) => !choice.hidden)?.querySelector("input");
    event.preventDefault();
    if (!first) return;
    first.checked = true;
    first.dispatchEvent(new Event("change", { bubbles: true }));
    (event.key === "Enter" ? first.form.querySelector("button:not([type=button])") : first).focus();
  });
  begin(document);
}

function begin(root) {
  root.querySelectorAll?.("[data-people-search]").forEach((search) => (search.hidden = false));
}

const choices = (words) => [...words.form.querySelectorAll(".person-choice")];

function narrow(words) {
  const wanted = words.value.toLowerCase().split(/\s+/);
  for (const choice of choices(words)) {
    const text = choice.textContent.toLowerCase();
    choice.hidden = !wanted.every((word) => text.includes(word)) && !choice.querySelector(":checked");
  }
  words.form.querySelector("[data-people-none]").hidden = choices(words).some((choice) => !choice.hidden);
}
