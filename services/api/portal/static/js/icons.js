// Icons of the sprite, for what scripts put on the page.

const NAMESPACE = "http://www.w3.org/2000/svg";

/** An icon of icons.txt, as decoration. */
export function icon(name, className = "") {
  const svg = document.createElementNS(NAMESPACE, "svg");
  svg.setAttribute("class", `icon ${className}`);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(NAMESPACE, "use");
  use.setAttribute("href", `${new URL("../vendor/icons.svg", import.meta.url).pathname}#${name}`);
  svg.append(use);
  return svg;
}
