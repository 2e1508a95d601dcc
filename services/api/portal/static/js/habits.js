// What this browser is used to: its time zone, light or dark, and whether one goes on to the next case.
// Kept by the script itself, so that a page which is opened in the same moment knows.

const YEAR_SECONDS = 365 * 24 * 3600;

/** Tell the server the time zone, switch colours without leaving the page, and keep what is ticked as a habit. */
export function startHabits() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone) keep("zone", zone);
  for (const form of document.querySelectorAll("[data-theme-switch]")) {
    form.addEventListener("submit", (event) => {
      const theme = event.submitter?.value;
      if (!theme) return;
      event.preventDefault();
      keep("theme", theme);
      document.documentElement.dataset.theme = theme;
      for (const button of form.querySelectorAll("[name=theme]")) {
        button.setAttribute("aria-pressed", String(button.value === theme));
      }
    });
  }
  document.addEventListener("change", ({ target }) => {
    if (target.matches("[data-habit]")) keep(target.name, target.checked ? target.value : "");
  });
}

function keep(name, value) {
  document.cookie = `${name}=${encodeURIComponent(value)}; path=/; max-age=${YEAR_SECONDS}; secure; samesite=lax`;
}
