// What this browser is used to: its time zone, and light or dark.

const YEAR_SECONDS = 365 * 24 * 3600;

/** Tell the server the time zone, and switch colours without leaving the page. */
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
}

function keep(name, value) {
  document.cookie = `${name}=${encodeURIComponent(value)}; path=/; max-age=${YEAR_SECONDS}; secure; samesite=lax`;
}
