// Menus are <details class="menu">: they close as menus do.

/** Close on Escape, on a click elsewhere and when the focus leaves; one at a time. */
export function startMenus() {
  const open = () => [...document.querySelectorAll("details.menu[open]")];
  const close = (target) => open().filter((menu) => !menu.contains(target)).forEach((menu) => (menu.open = false));
  document.addEventListener("pointerdown", ({ target }) => close(target));
  // A press on a menu's label gives the focus to what lies around the menu, which is not leaving it.
  document.addEventListener("focusin", ({ target }) => open().some((menu) => target.contains(menu)) || close(target));
  document.addEventListener("keydown", (event) => {
    const menu = event.target instanceof Element && event.target.closest("details.menu[open]");
    if (!menu) return;
    if (event.key === "Escape") {
      menu.open = false;
      menu.querySelector("summary").focus();
      event.stopPropagation();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      step(menu, event.key === "ArrowDown" ? 1 : -1);
      event.preventDefault();
    }
  });
}

function step(menu, by) {
  const items = [...menu.querySelectorAll(".menu-panel :is(a, button, input)")].filter((item) => item.offsetParent);
  if (items.length) items.at((items.indexOf(document.activeElement) + by + items.length) % items.length).focus();
}
